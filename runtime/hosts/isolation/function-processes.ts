import { availableParallelism } from 'node:os';
import { doneWithin, withDeadline } from '../../base/deadline.ts';
import type { Log } from '../../base/log.ts';
import { HostUnavailableError, type Invoke } from '../../event-source/invoke.ts';
import type { Mapping } from '../../event-source/mapping.ts';
import type { RabbitMQEvent } from '../../messages/event.ts';
import type { FunctionCaller } from '../callers.ts';
import type { Manifest } from '../manifest.ts';
import { FunctionProcess } from './function-process.ts';
import { openLane } from './open-lane.ts';
import type { ProcessObserver } from './process-observer.ts';
import type { ProcessProgram } from './program.ts';

export interface IsolationOptions extends Omit<ProcessProgram, 'env'> {
  /**
   * Processes for each function, default 1; `auto` is the number of cores. A function gets no more than it has calls in
   * flight (`concurrency`).
   */
  processes?: number | 'auto' | undefined;
  /**
   * Milliseconds that a handler has to end after its signal, and the other calls of a process after one was late, default 5000.
   */
  graceMs?: number | undefined;
  /** Milliseconds that a function may take to load, default 60000. */
  loadMs?: number | undefined;
}

export interface FunctionProcessesOptions extends IsolationOptions {
  manifest: Manifest;
  folder: string;
  env: NodeJS.ProcessEnv;
  mappings: readonly Mapping[];
  /** Milliseconds for which a call may block the event loop of its process before that is reported. */
  blockedMs: number;
  log: Log;
  observer: ProcessObserver;
  /** Whether calls return results as they are, for HTTP; default only the verdicts about messages. */
  wholeResults?: boolean;
  /** Whether calls return a `PublishingResult`, default false. */
  publishes?: boolean;
  /** Port at which a debugger can attach to the only process of the only function, default none. */
  inspectPort?: number | undefined;
}

/**
 * Calls functions in processes of their own. A function that ends or blocks its process harms no other function, and each has
 * the environment that the manifest gives it.
 */
export class FunctionProcesses implements FunctionCaller {
  readonly #processes: ReadonlyMap<string, readonly FunctionProcess[]>;

  constructor(options: FunctionProcessesOptions) {
    const { mappings } = options;
    const names = [...new Set(mappings.map(({ functionName }) => functionName))];
    this.#processes = new Map(names.map((name) => [name, processesOf(name, options)]));
  }

  invoke({ functionName, kind }: Mapping): Invoke {
    const processes = this.#processes.get(functionName) ?? [];
    if (kind !== 'rpc') {
      const callAtOnce: Invoke = async (event) => (await free(processes)).call(event);
      return Object.assign(callAtOnce, { lane: () => openLane(() => free(processes)) });
    }
    const callUntil = async (event: RabbitMQEvent, until?: number) =>
      (await free(processes, until)).callOnce(event, until);
    const call: Invoke = (event) => callUntil(event);
    return Object.assign(call, { callUntil });
  }

  broken(): string[] {
    const all = [...this.#processes];
    return all.filter(([, each]) => each.every(({ isBroken }) => isBroken)).map(([name]) => name);
  }

  /** Starts all processes; throws the error of a function that cannot be loaded. */
  async start(): Promise<void> {
    await Promise.all(this.#all().map((each) => each.start()));
  }

  /**
   * Runs all further calls of functions with their code as it is now, in new processes. The calls in flight end in the old ones.
   *
   * @param names default all functions.
   * @throws the error of a function that cannot be loaded; its old processes go on.
   */
  async reload(names: readonly string[] = [...this.#processes.keys()]): Promise<void> {
    const processes = names.flatMap((name) => this.#processes.get(name) ?? []);
    const results = await Promise.allSettled(processes.map((each) => each.reload()));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#all().map((each) => each.stop()));
  }

  #all(): FunctionProcess[] {
    return [...this.#processes.values()].flat();
  }
}

/** Milliseconds that the process with the fewest calls has to show that its event loop turns, before another one gets the call. */
const answerMs = 50;

/** The process with the fewest calls, or another one if its event loop is blocked. */
function free(
  processes: readonly FunctionProcess[],
  until?: number,
): FunctionProcess | Promise<FunctionProcess> {
  const [first, ...others] =
    processes.length > 1 ? [...processes].sort((a, b) => a.calls - b.calls) : processes;
  if (!first) throw new HostUnavailableError('the function has no process');
  // The call itself reports that there is no process, or that it is late.
  return first.isResponsive || others.length === 0 ? first : firstFree(first, others, until);
}

/** @param until when the wait ends, in milliseconds since 1970, default never. */
async function firstFree(
  first: FunctionProcess,
  others: readonly FunctionProcess[],
  until?: number,
): Promise<FunctionProcess> {
  const answers = first.responsive().then(() => first);
  if (await doneWithin(answers, answerMs).catch(() => false)) return first;
  const ms = until === undefined ? undefined : until - Date.now();
  const late = () => new HostUnavailableError('no process of the function is free');
  const waits = [answers, ...others.map((each) => each.responsive().then(() => each))];
  return withDeadline(Promise.any(waits), { ms, late }).catch(() => first);
}

function processesOf(functionName: string, options: FunctionProcessesOptions): FunctionProcess[] {
  const { manifest, mappings, folder, blockedMs, graceMs = 5000, loadMs = 60_000, processes = 1 } = options;
  const definition = manifest.functions[functionName] ?? { handler: '' };
  const calls = mappings
    .filter((mapping) => mapping.functionName === functionName)
    .reduce((sum, { concurrency = 1 }) => sum + concurrency, 0);
  const wanted = processes === 'auto' ? availableParallelism() : processes;
  const { wholeResults, publishes, inspectPort } = options;
  const start = {
    functionName,
    definition,
    folder,
    blockedMs,
    ignoredMs: graceMs,
    wholeResults,
    publishes,
    inspectPort,
  };
  const timeoutMs = (definition.timeout ?? 6) * 1000;
  return Array.from(
    { length: Math.min(wanted, calls) },
    () => new FunctionProcess({ ...options, graceMs, loadMs, start, timeoutMs }),
  );
}
