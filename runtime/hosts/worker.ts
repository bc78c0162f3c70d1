import { WarrenError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { EventSource } from '../event-source/event-source.ts';
import type { Invoke } from '../event-source/invoke.ts';
import { type Mapping, readMappings } from '../event-source/mapping.ts';
import { readSection } from '../topology/schema.ts';
import { localFunction } from './load.ts';
import type { Manifest } from './manifest.ts';
import { createMetrics } from './metrics.ts';
import { fine, type ProbeAnswer, serveProbes } from './probes.ts';

export interface WorkerOptions {
  manifest: Manifest;
  /** The folder that handlers' paths start from. */
  folder: string;
  /** Which functions to serve, default all that a queue feeds. */
  functions?: readonly string[];
  /** AMQP URLs of the broker. */
  url: string | readonly string[];
  log: Log;
  /** How functions are called, by their key and time-out; default in this process. */
  invoke?: ((functionName: string, timeoutMs: number) => Invoke) | undefined;
  /** Where `/metrics`, `/healthz` and `/readyz` are answered; port 0 for any. Without it they are not. */
  http?: { host: string; port: number } | undefined;
  env?: NodeJS.ProcessEnv;
}

/** A process that calls functions, fed from their queues, in itself where it is not told otherwise: what a container runs. */
export interface Worker {
  mappings: readonly Mapping[];
  /** The port of the metrics, where they are served. */
  port: number | undefined;
  /**
   * Takes no more messages, finishes the calls in flight and ends.
   *
   * @param deadlineMs how long that may take, in milliseconds.
   * @returns whether all was done; what was not is back in its queue.
   */
  stop(deadlineMs: number): Promise<boolean>;
}

/** Without a consumer for so long, in milliseconds, a restart is worth a try. */
const unhealthyAfter = 120_000;

/**
 * Starts a worker.
 *
 * @throws WarrenError ERR_CONFIG where a function is not there or fed by no queue, or its handler's file or function is missing;
 *   ERR_BROKER_REFUSED where the broker refuses the login; whatever a handler's file throws when it is loaded.
 */
export async function startWorker(options: WorkerOptions): Promise<Worker> {
  const { manifest, log, url, env = process.env } = options;
  const mappings = chooseMappings(manifest, options.functions);
  const host = { manifest, folder: options.folder, env };
  const { invoke } = options;
  const names = [...new Set(mappings.map(({ functionName }) => functionName))];
  const timeoutMs = (name: string) => (manifest.functions[name]?.timeout ?? 6) * 1000;
  const local = invoke ? [] : names.map((name) => ({ name, ...localFunction(host, name) }));
  const functions = new Map<string, Invoke>(
    invoke
      ? names.map((name) => [name, invoke(name, timeoutMs(name))])
      : local.map(({ name, call }) => [name, async (event) => void (await call(event))]),
  );
  const metrics = createMetrics();
  const source = new EventSource({
    ...{ url, mappings, log, observer: metrics.observer },
    invoke: ({ functionName }) => functions.get(functionName) as Invoke,
  });
  // Before anything is taken: a module that can't be loaded would fail each call, and lead its queue into the dead letters.
  await Promise.all(local.map(({ load }) => load()));
  await source.start();
  const probes = options.http && (await serveProbes({ ...options.http, metrics, ...health() }));
  return {
    mappings,
    port: probes?.port,
    async stop(deadlineMs) {
      const done = await source.stop(deadlineMs);
      metrics.close();
      probes?.close();
      return done;
    },
  };

  function health() {
    let lastReady = Date.now();
    const missing = () =>
      mappings.filter((mapping) => metrics.consumers(mapping) === 0).map(({ queue }) => queue);
    return {
      ready: () => report(missing()),
      healthy() {
        const queues = missing();
        if (queues.length === 0) lastReady = Date.now();
        return report(Date.now() - lastReady > unhealthyAfter ? queues : []);
      },
    };
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
