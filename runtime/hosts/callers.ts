import { readsUnencoded } from '../base/unencoded.ts';
import type { Invoke } from '../event-source/invoke.ts';
import type { Mapping } from '../event-source/mapping.ts';
import type { BlockedLoop } from './blocked-loop.ts';
import { localFunctions, type ProcessHost } from './load.ts';

/** How a worker calls its functions. */
export interface FunctionCaller {
  /** The calls of a mapping's function. */
  invoke(mapping: Mapping): Invoke;
  /** Prepares all functions; throws if one cannot be loaded. */
  start(): Promise<void>;
  /** The functions that cannot be called now, because their processes end again and again; default none. */
  broken?(): readonly string[];
  /** Runs all further calls of functions with their code as it is now; missing if it cannot. */
  reload?(names?: readonly string[]): Promise<void>;
  /** Ends what `start` has started, and the calls that are still in flight if it can. */
  stop(): Promise<void>;
}

/**
 * Calls functions in this process, as `localFunctions`.
 *
 * @param failing aborts when an error reached no call: then every call in flight fails, because each may have caused it.
 */
export function localCaller(
  host: ProcessHost,
  names: readonly string[],
  blocked: BlockedLoop,
  failing: AbortSignal,
): FunctionCaller {
  const local = localFunctions(host, names, failing);
  return {
    invoke({ functionName: name }) {
      const callUntil: Invoke['callUntil'] = (event, until) =>
        blocked.during(name, () => Promise.resolve(local.get(name)?.call.callUntil(event, until)));
      const call: Invoke = (event) =>
        blocked.during(name, () => Promise.resolve(local.get(name)?.call(event)));
      return readsUnencoded(Object.assign(call, { callUntil }));
    },
    start: async () => void (await Promise.all([...local.values()].map(({ load }) => load()))),
    stop: async () => undefined,
  };
}

/** Calls functions elsewhere, by a function that makes the calls of each. */
export function remoteCaller(
  invoke: (functionName: string, timeoutMs: number) => Invoke,
  timeoutMsOf: (functionName: string) => number,
): FunctionCaller {
  return {
    invoke: ({ functionName }) => invoke(functionName, timeoutMsOf(functionName)),
    start: async () => undefined,
    stop: async () => undefined,
  };
}
