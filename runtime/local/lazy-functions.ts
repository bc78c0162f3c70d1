import type { Invoke } from '../event-source/invoke.ts';
import { HostUnavailableError } from '../event-source/invoke.ts';
import type { Mapping } from '../event-source/mapping.ts';
import type { FunctionCaller } from '../hosts/callers.ts';
import type { PublishingResult } from '../hosts/isolation/call-publishes.ts';
import { FunctionProcesses, type FunctionProcessesOptions } from '../hosts/isolation/function-processes.ts';
import type { LocalFunction } from '../hosts/load.ts';
import type { RabbitMQEvent } from '../messages/event.ts';

/** Reports how a call ended; `error` is undefined if it did not throw. */
export type CallReport = (call: {
  functionName: string;
  event: unknown;
  ms: number;
  result?: unknown;
  error?: unknown;
  /** Where it published messages, if it did not throw: exchange and routing key of each. */
  published?: readonly string[];
}) => void;

export interface LazyOptions
  extends Omit<FunctionProcessesOptions, 'wholeResults' | 'publishes' | 'inspectPort'> {
  report: CallReport;
  /** Ports at which a debugger can attach, by function. These functions get their process at the start. */
  inspectPorts: ReadonlyMap<string, number>;
}

/**
 * Functions of a project under development: each gets its process at its first call, so that a large project is up as soon as a
 * small one, and another process when its code changes.
 */
export class LazyFunctions implements FunctionCaller {
  readonly #options: LazyOptions;
  readonly #started = new Map<string, Promise<FunctionProcesses>>();

  constructor(options: LazyOptions) {
    this.#options = options;
  }

  invoke(mapping: Mapping): Invoke {
    const { functionName } = mapping;
    const target = async () => (await this.#processes(functionName)).invoke(mapping);
    const call: Invoke = (event) => this.#reported(functionName, event, async () => (await target())(event));
    const callUntil = (event: RabbitMQEvent, until: number) =>
      this.#reported(functionName, event, async () => (await target()).callUntil?.(event, until));
    return mapping.kind === 'rpc' ? Object.assign(call, { callUntil }) : call;
  }

  /** Functions for requests and schedules: their calls are made at most once. */
  local(names: readonly string[]): Map<string, LocalFunction> {
    return new Map([...new Set(names)].map((name) => [name, this.#local(name)]));
  }

  /** Starts the functions for a debugger; any other one gets its process at its first call. */
  async start(): Promise<void> {
    const names = [...this.#options.inspectPorts.keys()];
    // Code that cannot be loaded is reported at the first call, which tries again.
    await Promise.allSettled(names.map((name) => this.#processes(name)));
  }

  /** Gives functions with a process another one with their code as it is now. Throws the error of code that cannot be loaded. */
  async reload(names: readonly string[]): Promise<void> {
    const started = await Promise.all(names.map((name) => this.#started.get(name)?.catch(() => undefined)));
    await Promise.all(started.map((processes) => processes?.reload()));
  }

  async stop(): Promise<void> {
    const started = await Promise.allSettled(this.#started.values());
    await Promise.all(started.map((each) => (each.status === 'fulfilled' ? each.value.stop() : undefined)));
  }

  #local(functionName: string): LocalFunction {
    const { invoke } = { invoke: this.invoke({ ...noMapping, functionName, kind: 'rpc' }) };
    const call = (event: unknown) => invoke(event as RabbitMQEvent);
    const callUntil = async (event: unknown, until: number) =>
      invoke.callUntil?.(event as RabbitMQEvent, until);
    // The function checks its own limit of a body.
    const handler = Object.assign(call, { maxBytes: Number.POSITIVE_INFINITY });
    return { call: Object.assign(call, { callUntil }), load: async () => handler };
  }

  #processes(functionName: string): Promise<FunctionProcesses> {
    const known = this.#started.get(functionName);
    if (known) return known;
    const starting = this.#start(functionName);
    this.#started.set(functionName, starting);
    // The next call tries again, with the code that is there then.
    starting.catch(() => this.#started.delete(functionName));
    return starting;
  }

  async #start(functionName: string): Promise<FunctionProcesses> {
    const fed = this.#options.mappings.filter((mapping) => mapping.functionName === functionName);
    const mappings = fed.length > 0 ? fed : [{ ...noMapping, functionName }];
    const inspectPort = this.#options.inspectPorts.get(functionName);
    const results = { wholeResults: true, publishes: true };
    const processes = new FunctionProcesses({ ...this.#options, ...results, mappings, inspectPort });
    try {
      await processes.start();
      return processes;
    } catch (cause) {
      throw new HostUnavailableError(`${functionName} cannot be loaded: ${(cause as Error).message}`, {
        cause,
      });
    }
  }

  async #reported(functionName: string, event: unknown, call: () => Promise<unknown>): Promise<unknown> {
    const begun = performance.now();
    const ms = () => Math.round(performance.now() - begun);
    try {
      const { result, published } = (await call()) as PublishingResult;
      this.#options.report({ functionName, event, ms: ms(), result, published });
      return result;
    } catch (error) {
      this.#options.report({ functionName, event, ms: ms(), error });
      throw error;
    }
  }
}

/** For a function without a queue. */
const noMapping = { queue: '', vhost: '/', arn: '', batchSize: 1, windowMs: 0 };
