import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pc from 'picocolors';
import type { Log } from '../base/log.ts';
import { printManifest } from '../cli/manifest.ts';
import type { Host } from '../hosts/host.ts';
import type { ProcessProgram } from '../hosts/isolation/program.ts';
import { readManifest } from '../hosts/manifest.ts';
import { DevHost } from './dev-host.ts';
import { freePort } from './free-port.ts';
import type { Generation } from './generation.ts';
import { lockDataDir } from './lock.ts';
import { plainManifest } from './plain-manifest.ts';
import { signalChildren, startChild } from './process.ts';
import { type Rabbitmq, startRabbitmq } from './rabbitmq.ts';
import type { Report } from './report.ts';

export interface DevOptions {
  /** The project's folder. */
  root: string;
  /** For the broker's data and the bundles. */
  dataDir: string;
  env: Record<string, string | undefined>;
  log: Log;
  /** Port of the routes; 0 for any. */
  port: number;
  program: Omit<ProcessProgram, 'env'>;
  print(line: string): void;
}

/**
 * Runs the functions of a project, with a private broker if `AMQP_URL` is not set.
 *
 * @returns what stops everything it has started.
 * @throws StackError if the broker cannot be started; as `DevHost.start`.
 */
export async function startDev(options: DevOptions): Promise<Host> {
  const { root, dataDir, env, program, print } = options;
  const begun = performance.now();
  const report: Report = (part, text) => print(`${pc.cyan(part.padEnd(9))} ${text}`);
  await mkdir(dataDir, { recursive: true });
  await writeFile(join(dataDir, '.gitignore'), '*\n');
  const lock = await lockDataDir(dataDir, report);
  const broker = env['AMQP_URL'] === undefined ? await privateBroker(dataDir, report, lock.add) : undefined;
  const url = env['AMQP_URL'] ?? broker?.url ?? '';
  Object.assign(process.env, { AMQP_URL: url });
  const host = new DevHost({
    ...options,
    url,
    program: { ...program, env: process.env },
    readManifest: () => projectManifest(root),
  });
  const stop = async () => {
    const done = await host.stop();
    await broker?.stop();
    await lock.release();
    return done;
  };
  try {
    await host.start();
  } catch (error) {
    await stop();
    throw error;
  }
  summary(host.generation, broker).forEach(print);
  print(pc.bold(`up after ${((performance.now() - begun) / 1000).toFixed(1)} s`));
  return { start: async () => undefined, stop };
}

/** Reads serverless.yml with the serverless CLI if the project has it, because only the CLI resolves all variables. */
async function projectManifest(root: string) {
  const hasCli = existsSync(join(root, 'node_modules/serverless/package.json'));
  return hasCli ? readManifest(await printManifest()) : plainManifest(join(root, 'serverless.yml'));
}

async function privateBroker(
  dataDir: string,
  report: Report,
  add: (child: ReturnType<typeof startChild>) => void,
): Promise<Rabbitmq> {
  const ports = { amqp: 0, management: 0, erlang: 0, epmd: 0 };
  for (const name of ['amqp', 'management', 'erlang', 'epmd'] as const)
    ports[name] = await freePort(Object.values(ports));
  process.once('exit', () => signalChildren('SIGKILL'));
  return startRabbitmq({
    dataDir,
    ports,
    password: randomBytes(12).toString('hex'),
    erlangCookie: randomBytes(24).toString('hex'),
    report,
    signal: new AbortController().signal,
    spawn(settings) {
      const child = startChild(settings);
      add(child);
      return child;
    },
  });
}

function summary(generation: Generation | undefined, broker: Rabbitmq | undefined): string[] {
  if (!generation) return [];
  const { mappings, routes, schedules, port } = generation;
  const row = (name: string, source: string) => `  ${pc.bold(name)}  ${source}`;
  return [
    ...mappings.map(({ functionName, queue }) => row(functionName, `queue ${queue}`)),
    ...routes.map(({ functionName, method, path }) =>
      row(functionName, `${method} http://127.0.0.1:${port}${path}`),
    ),
    ...schedules.map(({ functionName, everyMs }) => row(functionName, `every ${everyMs / 1000} s`)),
    ...(broker ? [`  AMQP_URL=${broker.url}`, `  RabbitMQ's page: ${broker.managementUrl}`] : []),
  ];
}
