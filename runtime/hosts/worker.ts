import { WarrenError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { checkTimeouts } from '../event-source/ack-limit.ts';
import { atBroker, EventSource, type EventSourceOptions } from '../event-source/event-source.ts';
import type { Invoke } from '../event-source/invoke.ts';
import { type Mapping, readMappings } from '../event-source/mapping.ts';
import { readSection } from '../topology/schema.ts';
import type { Host, StopOptions } from './host.ts';
import { type LocalFunction, localFunctions } from './load.ts';
import type { Manifest } from './manifest.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { fine, type ProbeAnswer, type Probes, serveProbes } from './probes.ts';

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
  /** Address of `/metrics`, `/healthz` and `/readyz`; port 0 for any free port. Without it they are not served. */
  http?: { host: string; port: number } | undefined;
  env?: NodeJS.ProcessEnv;
}

/** Milliseconds without a consumer after which a restart is worth a try. */
const unhealthyAfterMs = 120_000;

/** Feeds functions from their queues and calls them, in this process by default: what a container runs. */
export class Worker implements Host {
  readonly mappings: readonly Mapping[];
  readonly #options: WorkerOptions;
  readonly #local: readonly LocalFunction[];
  readonly #source: EventSource;
  readonly #metrics: Metrics = createMetrics();
  #probes: Probes | undefined;
  #lastReady = Date.now();

  /**
   * @throws WarrenError ERR_CONFIG if a function does not exist or no queue feeds it, or as `localFunctions` and `checkTimeouts`.
   */
  constructor(options: WorkerOptions) {
    const { manifest, folder, log, url, renewUrl, env = process.env, invoke } = options;
    this.#options = options;
    this.mappings = atBroker(url, chooseMappings(manifest, options.functions));
    const names = [...new Set(this.mappings.map(({ functionName }) => functionName))];
    const local = localFunctions({ manifest, folder, env }, invoke ? [] : names);
    this.#local = [...local.values()];
    const timeoutOf = (name: string) => manifest.functions[name]?.timeout ?? 6;
    checkTimeouts(this.mappings, timeoutOf);
    const functions = new Map<string, Invoke>(
      invoke
        ? names.map((name) => [name, invoke(name, timeoutOf(name) * 1000)])
        : [...local].map(([name, { call }]) => [name, call]),
    );
    this.#source = new EventSource({
      url,
      renewUrl,
      mappings: this.mappings,
      log,
      observer: this.#metrics.observer,
      invoke: ({ functionName }) => functions.get(functionName) as Invoke,
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
      await Promise.all(this.#local.map(({ load }) => load()));
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
    this.#metrics.close();
    this.#probes?.close();
    return done;
  }

  #health() {
    return {
      ready: () => report(this.#queuesWithoutConsumer()),
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

function report(missing: readonly string[]): ProbeAnswer {
  if (missing.length === 0) return fine;
  return { status: 503, text: `no consumer: ${missing.join(', ')}\n` };
}

function chooseMappings(manifest: Manifest, wanted: readonly string[] | undefined): Mapping[] {
  const all = readMappings(manifest.functions, readSection(manifest.custom?.['warren']));
  if (!wanted || wanted.length === 0) return all;
  const fed = new Set(all.map(({ functionName }) => functionName));
  const unknown = wanted.filter((name) => !fed.has(name));
  if (unknown.length > 0) {
    const expected = [...fed].join(', ');
    throw new WarrenError('ERR_CONFIG', `functions: expected some of ${expected}, got ${unknown.join(', ')}`);
  }
  return all.filter(({ functionName }) => wanted.includes(functionName));
}
