import { existsSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { WarrenError } from '../errors.ts';
import type { Log } from '../log.ts';
import { EventSource } from './event-source.ts';
import { type Handler, inProcessInvoke } from './in-process.ts';
import type { Manifest, ManifestFunction } from './manifest.ts';
import { type Mapping, readMappings } from './mapping.ts';
import { createMetrics } from './metrics.ts';

export interface WorkerOptions {
  manifest: Manifest;
  /** The folder that handlers' paths start from. */
  folder: string;
  /** Which functions to serve, default all that a queue feeds. */
  functions?: readonly string[];
  /** AMQP URLs of the broker. */
  url: string | readonly string[];
  log: Log;
  /** Where `/metrics`, `/healthz` and `/readyz` are answered; port 0 for any. Without it they are not. */
  http?: { host: string; port: number } | undefined;
  env?: NodeJS.ProcessEnv;
}

/** A process that calls functions in itself, fed from their queues: what a container beside the broker runs. */
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
 * @throws WarrenError ERR_CONFIG where a function is not there or fed by no queue, or its handler's file is missing;
 *   ERR_BROKER_REFUSED where the broker refuses the login.
 */
export async function startWorker(options: WorkerOptions): Promise<Worker> {
  const { manifest, log, url, env = process.env } = options;
  const mappings = chooseMappings(manifest, options.functions);
  const files = new Map(
    [...new Set(mappings.map(({ functionName }) => functionName))].map((name) => {
      return [name, handlerFile(options.folder, name, manifest.functions[name])];
    }),
  );
  const metrics = createMetrics();
  const source = new EventSource({
    ...{ url, mappings, log, observer: metrics.observer },
    invoke({ functionName }) {
      const { timeout = 6, environment = {} } = manifest.functions[functionName] ?? {};
      const load = async () => {
        for (const [name, value] of Object.entries(environment)) env[name] ||= value;
        return loadHandler(files.get(functionName), env, functionName);
      };
      return inProcessInvoke({ functionName, load, timeoutMs: timeout * 1000 });
    },
  });
  await source.start();
  const started = Date.now();
  const server = options.http && (await serve(options.http));
  return {
    mappings,
    port: server && (server.address() as { port: number }).port,
    async stop(deadlineMs) {
      const done = await source.stop(deadlineMs);
      metrics.close();
      server?.closeAllConnections();
      server?.close();
      return done;
    },
  };

  async function serve({ host, port }: { host: string; port: number }): Promise<Server> {
    let lastReady = started;
    const missing = () =>
      mappings.filter((mapping) => metrics.consumers(mapping) === 0).map(({ queue }) => queue);
    const answers: Record<string, () => Promise<{ status: number; text: string; contentType?: string }>> = {
      '/metrics': async () => ({ status: 200, ...(await metrics.read()) }),
      '/readyz': async () => report(missing()),
      '/healthz': async () => {
        const queues = missing();
        if (queues.length === 0) lastReady = Date.now();
        return report(Date.now() - lastReady > unhealthyAfter ? queues : []);
      },
    };
    const result = createServer(async ({ method, url: path = '' }, response) => {
      const answer = method === 'GET' ? answers[path.split('?')[0] ?? ''] : undefined;
      const {
        status,
        text,
        contentType = 'text/plain',
      } = (await answer?.()) ?? { status: 404, text: 'not found\n' };
      response.writeHead(status, { 'content-type': contentType }).end(text);
    });
    await new Promise<void>((done, fail) => result.once('error', fail).listen(port, host, done));
    return result;
  }
}

function report(missing: readonly string[]): { status: number; text: string } {
  if (missing.length === 0) return { status: 200, text: 'ok\n' };
  return { status: 503, text: `no consumer: ${missing.join(', ')}\n` };
}

function chooseMappings(manifest: Manifest, wanted: readonly string[] | undefined): Mapping[] {
  const all = readMappings(manifest.functions, manifest.custom?.['warren']);
  if (!wanted || wanted.length === 0) return all;
  const fed = new Set(all.map(({ functionName }) => functionName));
  const unknown = wanted.filter((name) => !fed.has(name));
  if (unknown.length > 0) {
    const expected = [...fed].join(', ');
    throw new WarrenError('ERR_CONFIG', `functions: expected some of ${expected}, got ${unknown.join(', ')}`);
  }
  return all.filter(({ functionName }) => wanted.includes(functionName));
}

function handlerFile(
  folder: string,
  name: string,
  definition: ManifestFunction | undefined,
): [string, string] {
  const [, path = '', exported = ''] = /^(.+)\.([^./]+)$/.exec(definition?.handler ?? '') ?? [];
  const base = join(resolve(folder), path);
  // Bundles first: a container has nothing else.
  const file = ['.mjs', '.js', '.cjs', '.ts'].map((extension) => base + extension).find(existsSync);
  if (!file)
    throw new WarrenError(
      'ERR_CONFIG',
      `functions.${name}: no file for its handler "${definition?.handler}"`,
    );
  return [file, exported];
}

async function loadHandler(
  found: [string, string] | undefined,
  env: NodeJS.ProcessEnv,
  functionName: string,
): Promise<Handler> {
  const [file = '', exported = ''] = found ?? [];
  const module = (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  const handler = module[exported];
  if (typeof handler !== 'function') {
    throw new WarrenError(
      'ERR_CONFIG',
      `functions.${functionName}: ${file} exports no function "${exported}"`,
    );
  }
  return async (event, context) => {
    // Functions read it at their first call, as on Lambda, where each has a process of its own.
    env['AWS_LAMBDA_FUNCTION_NAME'] = functionName;
    return (handler as Handler)(event, context);
  };
}
