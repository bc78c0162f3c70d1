import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pc from 'picocolors';
import type { Log } from '../base/log.ts';
import { printManifest } from '../cli/manifest.ts';
import type { Host, StopOptions } from '../hosts/host.ts';
import type { ProcessProgram } from '../hosts/isolation/program.ts';
import { readManifest } from '../hosts/manifest.ts';
import { readSection } from '../topology/schema.ts';
import { startDevBoard } from './dev-board.ts';
import { DevHost } from './dev-host.ts';
import { codeFolder, type Generation } from './generation.ts';
import type { InspectOptions } from './inspection.ts';
import { lockDataDir } from './lock.ts';
import { type Parts, startParts } from './parts/start.ts';
import { wantedParts } from './parts/wanted.ts';
import { plainManifest } from './plain-manifest.ts';
import { type ChildSettings, type StackChild, signalChildren, startChild } from './process.ts';
import type { Report } from './report.ts';
import { TypeCheck, typeChecker } from './type-check.ts';

export interface DevOptions {
  /** The project's folder. */
  root: string;
  /** For the broker's data and the bundles. */
  dataDir: string;
  env: Record<string, string | undefined>;
  log: Log;
  /** Port of the routes; 0 for any. */
  port: number;
  /** Port of the board, 0 for any; default no board. */
  boardPort?: number | undefined;
  /** Which functions a debugger can attach to, default none. */
  inspect?: InspectOptions | undefined;
  program: Omit<ProcessProgram, 'env'>;
  /** Calls the start off. */
  signal: AbortSignal;
  print(line: string): void;
}

/**
 * Runs the functions of a project, with a private broker if `AMQP_URL` is not set, and the parts of `custom.warren.dev`. If that
 * fails, everything that was started is stopped before the error comes out.
 *
 * @returns what stops everything it has started.
 * @throws StackError if a part cannot be started; as `wantedParts` and `DevHost.start`; the reason of `signal` when it aborts.
 */
export async function startDev(options: DevOptions): Promise<Host> {
  const { root, dataDir, env, program, signal, print, boardPort, log } = options;
  const begun = performance.now();
  const report: Report = (part, text) => print(`${pc.cyan(part.padEnd(9))} ${text}`);
  const lock = await lockDataDir(dataDir, report);
  const children: StackChild[] = [];
  let isUp = false;
  const spawn = (settings: ChildSettings) => {
    const child = startChild(settings);
    children.push(child);
    lock.add(child);
    void child.exited.then((how) => {
      if (isUp) report(child.name, pc.red(`ended (${how}); see ${settings.logFile}`));
    });
    return child;
  };
  let host: DevHost | undefined;
  let parts: Parts | undefined;
  let board: Host | undefined;
  let types: TypeCheck | undefined;
  const stop = async (stopOptions?: StopOptions) => {
    isUp = false;
    try {
      await types?.close();
      await board?.stop();
      return (await host?.stop(stopOptions)) ?? true;
    } finally {
      await parts?.stop();
      // Of a part that did not come up: its program before its epmd, which was started first.
      for (const child of children.toReversed()) await child.stop();
      await lock.release();
    }
  };
  try {
    await writeFile(join(dataDir, '.gitignore'), '*\n');
    // Of a start that was killed.
    await rm(codeFolder(root), { recursive: true, force: true });
    process.once('exit', () => signalChildren('SIGKILL'));
    const wanted = await wantedParts(root);
    const { broker, ...started } = await startParts({ wanted, env, dataDir, report, signal, spawn });
    parts = { broker, ...started };
    const url = broker?.url ?? env['AMQP_URL'] ?? '';
    // Also empty variables are set here.
    Object.assign(process.env, { AMQP_URL: url, ...started.env });
    const managementUrl = broker?.managementUrl ?? env['AMQP_MANAGEMENT_URL'];
    const running = new DevHost({
      ...options,
      url,
      managementUrl,
      program: { ...program, env: process.env, detached: true },
      async readManifest() {
        const manifest = await projectManifest(root);
        const { dev } = readSection(manifest.custom?.['warren']);
        if (String(dev?.parts ?? []) !== String(wanted)) report('parts', applied);
        return manifest;
      },
    });
    host = running;
    await untilAborted(running.start(), signal);
    for (const line of [...summary(running.generation), ...started.lines]) print(`  ${line}`);
    const checker = typeChecker(root);
    const isBroken = () => running.problems.size > 0;
    if (checker !== undefined) types = new TypeCheck(root, checker, print, isBroken);
    if (boardPort !== undefined) {
      const manifest = running.generation?.manifest;
      const problems = () => [...new Set([...running.problems.values(), types?.problem ?? []].flat())];
      const started = await startDevBoard({ url, managementUrl, port: boardPort, manifest, problems, log });
      board = started;
      print(`  board: http://127.0.0.1:${started.port}`);
    }
    isUp = true;
    print(pc.bold(`up after ${((performance.now() - begun) / 1000).toFixed(1)} s`));
  } catch (error) {
    await stop();
    throw error;
  }
  return { start: async () => undefined, stop };
}

const applied = 'custom.warren.dev.parts is read at the start, and only in serverless.yml itself';

/** Waits for work, at most until the signal aborts: a broker may be unavailable for long. */
async function untilAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const aborted = new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
    if (signal.aborted) resolve();
  });
  await Promise.race([work, aborted]);
  signal.throwIfAborted();
}

/** Reads serverless.yml with the serverless CLI if the project has it, because only the CLI resolves all variables. */
async function projectManifest(root: string) {
  const hasCli = existsSync(join(root, 'node_modules/serverless/package.json'));
  return hasCli ? readManifest(await printManifest()) : plainManifest(join(root, 'serverless.yml'));
}

function summary(generation: Generation | undefined): string[] {
  if (!generation) return [];
  const { mappings, routes, schedules, port, inspectPorts } = generation;
  const row = (name: string, source: string) => `${pc.bold(name)}  ${source}`;
  return [
    ...mappings.map(({ functionName, queue }) => row(functionName, `queue ${queue}`)),
    ...routes.map(({ functionName, method, path }) =>
      row(functionName, `${method} http://127.0.0.1:${port}${path}`),
    ),
    ...schedules.map((each) =>
      row(each.functionName, 'everyMs' in each ? `every ${each.everyMs / 1000} s` : each.cron),
    ),
    ...[...inspectPorts].map(([name, at]) => row(name, `debugger 127.0.0.1:${at}`)),
  ];
}
