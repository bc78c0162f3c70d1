import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { freePort } from '../../runtime/local/free-port.ts';
import { startChild } from '../../runtime/local/process.ts';
import { waitUntil } from '../../runtime/local/wait.ts';

export interface PgBouncer {
  /** URL of the same database through the pooler. */
  url: string;
  stop(): Promise<void>;
}

/**
 * Starts PgBouncer in transaction mode before a database: each transaction may run on another connection to the server.
 *
 * @param databaseUrl PostgreSQL URL.
 * @param connections most connections to the server.
 */
export async function startPgBouncer(databaseUrl: string, connections: number): Promise<PgBouncer> {
  const server = new URL(databaseUrl);
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), 'warren-pgbouncer-'));
  const file = join(folder, 'pgbouncer.ini');
  const login = `user=${decodeURIComponent(server.username)} password=${decodeURIComponent(server.password)}`;
  await writeFile(
    file,
    [
      '[databases]',
      `* = host=${server.hostname} port=${server.port} ${login}`,
      '[pgbouncer]',
      'listen_addr = 127.0.0.1',
      `listen_port = ${port}`,
      'unix_socket_dir =',
      'auth_type = any',
      'pool_mode = transaction',
      `default_pool_size = ${connections}`,
    ].join('\n'),
  );
  // As root it runs as another user, who reads the file.
  const isRoot = process.getuid?.() === 0;
  await Promise.all([chmod(folder, 0o755), chmod(file, 0o644)]);
  const child = startChild({
    name: 'pgbouncer',
    command: 'pgbouncer',
    args: [...(isRoot ? ['--user', 'nobody'] : []), file],
    cwd: folder,
    env: { PATH: `${process.env['PATH']}:/usr/sbin` },
    logFile: join(folder, 'pgbouncer.log'),
  });
  const url = Object.assign(new URL(databaseUrl), { hostname: '127.0.0.1', port: String(port) }).href;
  const stop = async () => {
    await child.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const { signal } = new AbortController();
    await waitUntil('pgbouncer', () => answers(url), { signal, child, hint: `see ${folder}/pgbouncer.log` });
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, stop };
}

async function answers(connectionString: string): Promise<boolean> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  await client.end();
  return true;
}
