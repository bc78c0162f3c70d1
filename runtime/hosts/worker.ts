import type { Log } from '../base/log.ts';
import { checkTimeouts } from '../event-source/ack-limit.ts';
import { atBroker, EventSource, type EventSourceOptions } from '../event-source/event-source.ts';
import type { Invoke } from '../event-source/invoke.ts';
import type { Mapping } from '../event-source/mapping.ts';
import { BlockedLoop } from './blocked-loop.ts';
import { type FunctionCaller, localCaller, remoteCaller } from './callers.ts';
import { chooseMappings } from './chosen-mappings.ts';
import type { Host, StopOptions } from './host.ts';
import { FunctionProcesses, type IsolationOptions } from './isolation/function-processes.ts';
import type { Manifest } from './manifest.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { type Probes, report, serveProbes } from './probes.ts';

export interface WorkerOptions {
  manifest: Manifest;
  /** The folder that the handlers' paths start from. */
  folder: string;
  /** The functions to serve, default every function that a queue feeds. */
  functions?: readonly string[];
  /** AMQP URLs of the broker. */
  url: string | readonly string[];
  /** Reads the URLs again after the broker refused the login; default they never change. */
  renewUrl?: EventSourceOptions['renewUrl'];
  log: Log;
  /** How to call a function, given its key and its time limit in milliseconds; default in this process. */
  invoke?: ((functionName: string, timeoutMs: number) => Invoke) | undefined;
  /** Calls the functions instead of this worker. */
  caller?: FunctionCaller | undefined;
  /** Calls each function in a process of its own instead. */
  isolation?: IsolationOptions | undefined;
  /**
   * Seconds between heartbeats, default 10; 60 if the functions run in this process, because a function that computes keeps the
   * process from sending any.
   */
  heartbeat?: number | undefined;
  /**
   * Address of `/metrics`, `/healthz` and `/readyz`; port 0 for any free port, default 9464 or the next free one. Without it they
   * are not served.
   */
  http?: { host: string; port?: number | undefined } | undefined;
  env?: NodeJS.ProcessEnv;
}

/** Milliseconds without a consumer after which a restart is worth a try. */
const unhealthyAfterMs = 120_000;

/** Seconds between heartbeats: of a process that runs no functions, and of one that does. */
const heartbeats = { alone: 10, withFunctions: 60 };

/** Feeds functions from their queues and calls them: what a container runs. */
export class Worker implements Host {
  readonly mappings: readonly Mapping[];
  readonly #options: WorkerOptions;
  readonly #functions: FunctionCaller;
  readonly #source: EventSource;
  readonly #metrics: Metrics = createMetrics();
  readonly #blocked: BlockedLoop;
  readonly #failing = new AbortController();
  #probes: Probes | undefined;
  #lastReady = Date.now();

  /**
   * @throws WarrenError ERR_CONFIG if a function does not exist or no queue feeds it, or as `localFunctions` and `checkTimeouts`.
   */
  constructor(options: WorkerOptions) {
    const { manifest, log, url, renewUrl, invoke, isolation } = options;
    const elsewhere = (invoke ?? isolation ?? options.caller) !== undefined;
    const { heartbeat = elsewhere ? heartbeats.alone : heartbeats.withFunctions } = options;
    this.#options = options;
    this.mappings = atBroker(url, chooseMappings(manifest, options.functions));
    this.#metrics.begin(this.mappings);
    checkTimeouts(this.mappings, (name) => this.#timeoutOf(name));
    this.#blocked = new BlockedLoop(heartbeat * 1000, (ms, functions) => this.#wasBlocked(ms, functions));
    this.#functions = this.#caller(heartbeat * 1000);
    this.#source = new EventSource({
      url,
      renewUrl,
      mappings: this.mappings,
      log,
      heartbeat,
      observer: this.#metrics.observer,
      invoke: (mapping) => this.#functions.invoke(mapping),
      late: () => this.#functions.stop(),
    });
  }

  /** Port of the probes; undefined if they are not served. */
  get port(): number | undefined {
    return this.#probes?.port;
  }

  /**
   * Loads the functions, binds the port of the probes, and only then consumes: a module that cannot be loaded would fail every
   * call, and a worker whose port is taken would consume without being seen.
   *
   * @throws WarrenError ERR_CONFIG if a module does not export its handler, ERR_PORT_TAKEN, ERR_BROKER_REFUSED if the broker
   *   refuses the login; any error of a module that is loaded.
   */
  async start(): Promise<void> {
    const { http } = this.#options;
    try {
      await this.#functions.start();
      this.#probes = http && (await serveProbes({ ...http, metrics: this.#metrics, ...this.#health() }));
      await this.#source.start();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Takes no more messages and finishes the calls in flight; a message that is not done then goes back to its queue. */
  async stop({ deadlineMs }: StopOptions = {}): Promise<boolean> {
    const done = await this.#source.stop({ deadlineMs });
    await this.#functions.stop();
    this.#blocked.close();
    this.#metrics.close();
    this.#probes?.close();
    return done;
  }

  /**
   * Runs all further calls of functions in processes of their own with their code as it is now. The calls in flight end with the old
   * code.
   *
   * @param names default all functions.
   * @throws the error of code that cannot be loaded; the old code goes on.
   */
  async reload(names?: readonly string[]): Promise<void> {
    await this.#functions.reload?.(names);
  }

  /** Fails the calls in flight in this process; those in processes of their own go on. */
  fail(error: unknown): void {
    this.#failing.abort(error);
  }

  #timeoutOf(functionName: string): number {
    return this.#options.manifest.functions[functionName]?.timeout ?? 6;
  }

  #caller(blockedMs: number): FunctionCaller {
    const { env = process.env, invoke, isolation, caller } = this.#options;
    const { mappings } = this;
    if (caller) return caller;
    if (invoke) return remoteCaller(invoke, (name) => this.#timeoutOf(name) * 1000);
    if (isolation) {
      const observer = this.#metrics.processes;
      return new FunctionProcesses({ ...this.#options, ...isolation, env, mappings, blockedMs, observer });
    }
    const names = mappings.map(({ functionName }) => functionName);
    return localCaller({ ...this.#options, env }, names, this.#blocked, this.#failing.signal);
  }

  #wasBlocked(ms: number, functions: readonly string[]): void {
    for (const name of functions) this.#metrics.processes.blocked?.(name);
    this.#options.log.warn({ functions, ms }, 'the event loop was blocked for longer than a heartbeat');
  }

  #health() {
    return {
      ready: () => report(this.#queuesWithoutConsumer(), this.#functions.broken?.()),
      healthy: () => {
        const queues = this.#queuesWithoutConsumer();
        if (queues.length === 0) this.#lastReady = Date.now();
        return report(Date.now() - this.#lastReady > unhealthyAfterMs ? queues : []);
      },
    };
  }

  #queuesWithoutConsumer(): string[] {
    const missing = this.mappings.filter((mapping) => this.#metrics.consumers(mapping) === 0);
    return missing.map(({ queue }) => queue);
  }
}
