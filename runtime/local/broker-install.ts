import { execFile, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, realpath, rm, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import type { Report } from './report.ts';
import { StackError } from './stack-error.ts';

/** What our own broker is started with. */
export interface BrokerProgram {
  kind: 'native' | 'docker';
  command: string;
  /** For people. */
  description: string;
}

/**
 * Finds a RabbitMQ to start, or installs one.
 *
 * @param env WARREN_RABBITMQ is the path of a `rabbitmq-server` with `rabbitmqctl` beside it, which takes precedence.
 * @throws StackError with what to do, when there is no way.
 */
export async function findBrokerProgram(
  report: Report,
  env: Record<string, string | undefined> = process.env,
): Promise<BrokerProgram> {
  const given = env['WARREN_RABBITMQ'];
  if (given) {
    if (existsSync(given)) return native(given);
    throw new StackError(
      `WARREN_RABBITMQ: expected the path of a rabbitmq-server, there is no file ${given}`,
    );
  }
  const found = findServer();
  if (found) return native(found);
  const isRoot = process.getuid?.() === 0;
  if (isRoot && findOnPath('apt-get')) {
    await installWithApt(report);
    const installed = findServer();
    if (installed) return native(installed);
    throw new StackError('apt-get installed rabbitmq-server, but the program is missing');
  }
  const docker = findOnPath('docker');
  if (docker && spawnSync(docker, ['info'], { timeout: 10_000 }).status === 0) {
    report('broker', 'no rabbitmq-server here: Docker gets the image rabbitmq:4-management if it lacks it');
    return { kind: 'docker', command: docker, description: 'Docker (rabbitmq:4-management)' };
  }
  throw new StackError(
    'there is no RabbitMQ here and no way to get one as this user: run "sudo apt-get install rabbitmq-server", start Docker, or set AMQP_URL',
  );
}

function native(command: string): BrokerProgram {
  return { kind: 'native', command, description: command };
}

/**
 * The name of the folder for a RabbitMQ's data. Each major version has its own: 4 does not start on what 3.10 wrote, and 3 on
 * nothing that 4 did.
 *
 * @param command the path of a `rabbitmq-server`, with `rabbitmqctl` beside it.
 * @throws StackError if there is no such program, or if it does not report its version.
 */
export async function dataFolderOf(command: string): Promise<string> {
  const version = (await installedVersion(command)) ?? (await reportedVersion(command));
  const [, major] = /^(\d+)\./m.exec(version) ?? [];
  if (major === undefined) throw new StackError(`RabbitMQ of ${command}: expected a version such as 4.0.5`);
  return major === '3' ? 'mnesia' : `mnesia-${major}`;
}

/** The version in the name of the folder from which the program loads RabbitMQ: `rabbitmqctl` needs a second to report it. */
async function installedVersion(command: string): Promise<string | undefined> {
  const program = await realpath(command).catch(() => command);
  const names = await readdir(join(dirname(program), '..', 'plugins')).catch(() => []);
  const versions = names.flatMap((name) => /^rabbit-(\d+\..*)/.exec(name)?.[1] ?? []);
  return versions.length === 1 ? versions[0] : undefined;
}

/** Limit for the version in milliseconds; it took more than 30 s on two cores with a load of 25. */
const versionMs = 120_000;

async function reportedVersion(command: string): Promise<string> {
  const control = command.replace(/rabbitmq-server$/, 'rabbitmqctl');
  const { stdout } = await promisify(execFile)(control, ['version'], { timeout: versionMs }).catch(
    (cause: unknown) => {
      throw new StackError(`"${control} version" failed`, { cause });
    },
  );
  return stdout;
}

/** Debian's script on the PATH insists on root or the user rabbitmq; the one it wraps doesn't. */
function findServer(): string | undefined {
  const wrapped = '/usr/lib/rabbitmq/bin/rabbitmq-server';
  return existsSync(wrapped) ? wrapped : findOnPath('rabbitmq-server');
}

/** Returns the full path of a program; searches the PATH and the usual folders of servers. */
export function findOnPath(program: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return [...folders, '/usr/local/sbin', '/usr/sbin', '/opt/homebrew/sbin']
    .map((folder) => join(folder, program))
    .find((path) => existsSync(path));
}

async function installWithApt(report: Report): Promise<void> {
  report('broker', 'no AMQP_URL and no RabbitMQ here: installing rabbitmq-server with apt-get, as root');
  // Debian starts what it installs. This file keeps it from that (invoke-rc.d(8)); one that is there is left alone.
  const policy = '/usr/sbin/policy-rc.d';
  const ours = !existsSync(policy);
  if (ours) await writeFile(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    await apt(['update'], report);
    await apt(['install', '--yes', '--no-install-recommends', 'rabbitmq-server'], report);
  } finally {
    if (ours) await rm(policy, { force: true });
  }
  // Nor shall the next boot of the machine start it.
  if (existsSync('/run/systemd/system')) spawnSync('systemctl', ['disable', 'rabbitmq-server']);
}

async function apt(args: string[], report: Report): Promise<void> {
  // Not stopped halfway with us: a broken package database would be worse than a wait.
  const child = spawn('apt-get', args, {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let problem = '';
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (/^(Fetched|Need to get|Setting up) /.test(line)) report('broker', `apt-get: ${line}`);
  });
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (line.startsWith('E: ') && problem === '') problem = line.slice(3);
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) {
    throw new StackError(
      `apt-get ${args[0]} failed (${problem || `exit code ${code}`}); install RabbitMQ or set AMQP_URL`,
    );
  }
}
