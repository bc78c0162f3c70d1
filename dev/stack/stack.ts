import { resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { onFreePorts } from '../../runtime/local/free-port.ts';
import { lockDataDir } from '../../runtime/local/lock.ts';
import { type StackChild, startChild } from '../../runtime/local/process.ts';
import type { Report } from '../../runtime/local/report.ts';
import type { Part, StackContext } from './context.ts';
import { type Functions, type FunctionsHost, startFunctions } from './functions.ts';
import { checkGiven } from './given.ts';
import { brokerPlan, type Plan, plans, prepare, untilSpawned } from './plans.ts';
import { assertPortsFree, at, givenPorts, httpUrls, neededPorts, type Ports, portNames } from './ports.ts';
import { keepSecrets } from './secrets.ts';
import { removeStackEnv, type StackEnv, stackEnvNames, writeStackEnv } from './stack-env.ts';

export interface StackOptions {
  /** The folder for everything that is kept, default `.data`. */
  dataDir?: string;
  /** The default ports (or those of the WARREN_…_PORT variables), or any free ones. */
  ports: 'default' | 'free';
  /** What runs the functions: the hosts of `warren dev`, or `serverless offline`; undefined for neither. */
  functions: FunctionsHost | undefined;
  /** Whether to serve the board, unless `BOARD_URL` names another one; default false. */
  board?: boolean;
  report: Report;
  /** The user's own parts and ports, default the environment. */
  given?: Record<string, string | undefined>;
  /** Calls a start off. */
  signal?: AbortSignal;
}

export interface Stack {
  env: StackEnv;
  /** Resolves with a message if a program ends unexpectedly. */
  failed: Promise<string>;
  /** Drains and ends everything that was started. */
  stop(): Promise<void>;
}

/**
 * Brings the system up: broker, database, storage, mailbox and the host of the functions at the same time, each with what belongs into
 * it (topology, migrations, sample users), then the functions. When one of them fails, what was started is ended before the error comes out.
 *
 * @throws StackError with one line that contains the remedy.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { given = process.env } = options;
  await checkGiven(given);
  if (options.ports === 'free') return onFreePorts(portNames, (ports) => startOn(ports, options));
  return startOn(givenPorts(given), options);
}

async function startOn(ports: Ports, options: StackOptions): Promise<Stack> {
  const { report, given = process.env } = options;
  const dataDir = resolve(options.dataDir ?? '.data');
  const lock = await lockDataDir(dataDir, report, ['stack.env']);
  const children: StackChild[] = [];
  const parts: Part[] = [];
  const failure = new AbortController();

  const stop = async () => {
    await removeStackEnv(dataDir);
    // The functions first, last to come: they drain while all they work with is still there.
    for (const part of parts.splice(Object.keys(plans).length + 1)) await part.stop();
    await Promise.all(parts.map((part) => part.stop()));
    // Those of a part that did not come up.
    await Promise.all(children.map((child) => child.stop()));
    await lock.release();
  };

  try {
    await assertPortsFree(ports, neededPorts(given, options.functions, options.board));
    const context: StackContext = {
      dataDir,
      ports,
      given,
      report,
      secrets: await keepSecrets(dataDir),
      signal: options.signal ? AbortSignal.any([failure.signal, options.signal]) : failure.signal,
      spawn(settings) {
        const child = startChild(settings);
        children.push(child);
        lock.add(child);
        return child;
      },
    };
    const start = async (name: string, plan: Plan) => {
      const begun = performance.now();
      const part = await plan.start(context);
      parts.push(part);
      report(name, `ready after ${secondsSince(begun)} s: ${part.address}`);
      return part.env;
    };
    const abort = (error: unknown) => failure.abort(error);
    const { plan, spawned } = untilSpawned(brokerPlan);
    const broker = start('broker', plan);
    broker.catch(abort);
    // Not much longer, because a broker may have to be installed.
    const runs = Promise.race([
      spawned,
      broker.catch(() => undefined),
      pause(500, undefined, { ref: false }),
    ]);
    const functions = options.functions && beginFunctions(options.functions, context, runs);
    functions?.catch(abort);
    await runs;
    const starts = [
      { name: 'broker', plan, env: broker },
      ...Object.entries(plans).map(([name, each]) => ({ name, plan: each, env: start(name, each) })),
    ];
    // Loading packages blocks this thread for seconds, and what fills a part has time limits.
    const loaded = Promise.allSettled([prepare(), ...starts.slice(1).map(({ env }) => env)]);
    const fills = starts.map(async ({ name, plan: { fill }, env }) => {
      await Promise.all([env, loaded]);
      const begun = performance.now();
      const filled = await fill?.(await env);
      if (filled !== undefined) report(name, `filled in ${secondsSince(begun)} s: ${filled}`);
      return env;
    });
    for (const each of fills) each.catch(abort);
    const results = await Promise.allSettled(fills);
    await functions?.catch(() => undefined);
    context.signal.throwIfAborted();
    const found = results.map((result) => (result.status === 'fulfilled' ? result.value : {}));
    const env = stackEnv(context, found, options.board);
    const joining = await functions;
    if (joining) await start('functions', { start: () => joining.join(env) });
    await writeStackEnv(dataDir, env);
    if (options.board && !given['BOARD_URL'])
      parts.push((await import('./board.ts')).beginBoard(env, context));
    let stopping: Promise<void> | undefined;
    return {
      env,
      failed: Promise.race(
        children.map(async (child) => `${child.name} ended (${await child.exited}); see ${dataDir}/logs`),
      ),
      stop() {
        stopping ??= stop();
        return stopping;
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

const secondsSince = (begun: number) => ((performance.now() - begun) / 1000).toFixed(1);

/** @param runs resolves when the program of the broker does. */
async function beginFunctions(
  host: FunctionsHost,
  context: StackContext,
  runs: Promise<unknown>,
): Promise<Functions> {
  const options = { ...context, print: (line: string) => context.report('functions', line) };
  const urls = httpUrls(context.ports);
  if (host === 'offline') return startFunctions(urls, options);
  await runs;
  return (await import('./dev-functions.ts')).startDevFunctions(urls, options);
}

function stackEnv(
  { ports, secrets, given }: StackContext,
  found: readonly Partial<StackEnv>[],
  board = false,
): StackEnv {
  const env: Partial<StackEnv> = Object.assign(
    {
      ...httpUrls(ports),
      AUTH_JWT_SECRET: secrets.jwt,
      UNSUBSCRIBE_SECRET: given['UNSUBSCRIBE_SECRET'] || secrets.unsubscribe,
      PUBLIC_URL: given['PUBLIC_URL'] || at(ports.http),
      BOARD_URL: given['BOARD_URL'] || (board ? at(ports.board) : ''),
    },
    ...found,
  );
  return Object.fromEntries(stackEnvNames.map((name) => [name, env[name] ?? ''])) as StackEnv;
}
