import type { AddressInfo } from 'node:net';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { doneWithin } from '../../base/deadline.ts';
import { bodyLimitOf, defaultBodyBytes } from '../../http/body-limit.ts';
import type { Host, StopOptions } from '../host.ts';
import { listenError } from '../listen.ts';
import { type LocalFunction, localFunctions, type ProcessHost } from '../load.ts';
import { fine, type ProbeAnswer, type Probes, serveProbes } from '../probes.ts';
import { addRoute, callRoute } from './call-route.ts';
import { createRequestMetrics, type RequestMetrics } from './metrics.ts';
import { type Route, readRoutes } from './routes.ts';
import { createServer, type ServerOptions } from './server.ts';

export interface HttpHostOptions extends ProcessHost, ServerOptions {
  host: string;
  /** 0 for any free port. */
  port: number;
  /**
   * Address of `/metrics`, `/healthz` and `/readyz`: another one than that of the routes, which are public. Port 0 for any, default
   * 9464 or the next free one.
   */
  probes?: { host: string; port?: number | undefined } | undefined;
  /** Records the requests, default metrics of its own that the probes serve. */
  metrics?: RequestMetrics;
}

/** Bytes; Lambda takes no more in base64. */
const defaultCeiling = 4_500_000;

/**
 * Serves the routes of a manifest's functions in this process, with AWS's event (payload format 2.0): what a container runs in
 * place of a gateway.
 */
export class HttpHost implements Host {
  readonly #options: HttpHostOptions;
  readonly #routes: readonly Route[];
  readonly #functions: ReadonlyMap<string, LocalFunction>;
  readonly #calls = new Map<FastifyRequest, Promise<unknown>>();
  #app: FastifyInstance | undefined;
  #probes: Probes | undefined;
  #metrics: RequestMetrics | undefined;
  #draining = false;

  /** @throws WarrenError ERR_CONFIG if a route is malformed, or as `localFunctions`. */
  constructor(options: HttpHostOptions) {
    this.#options = options;
    this.#routes = readRoutes(options.manifest.functions);
    const names = this.#routes.map(({ functionName }) => functionName);
    this.#functions = localFunctions(options, names);
  }

  /** Port of the routes; undefined before the start. */
  get port(): number | undefined {
    return (this.#app?.server.address() as AddressInfo | null | undefined)?.port;
  }

  /** Port of the probes; undefined if they are not served. */
  get probesPort(): number | undefined {
    return this.#probes?.port;
  }

  /**
   * Loads the functions and binds both ports.
   *
   * @throws WarrenError ERR_CONFIG if a module does not export its handler, ERR_PORT_TAKEN; any error of a module.
   */
  async start(): Promise<void> {
    const { host, port, probes, answerLimit, bodyLimit: ceiling = defaultCeiling } = this.#options;
    // Before the functions are loaded, because those connect at once.
    const { metrics = createRequestMetrics() } = this.#options;
    this.#metrics = metrics;
    try {
      const handlers = await Promise.all(
        [...this.#functions].map(async ([name, each]) => [name, await each.load()] as const),
      );
      const limits = new Map(handlers.map(([name, handler]) => [name, bodyLimitOf(handler)]));
      this.#probes = probes && (await serveProbes({ ...probes, metrics, ready: () => this.#readiness() }));
      const app = await createServer(this.#options, {
        metrics,
        callOf: (request) => this.#calls.get(request),
        draining: () => this.#draining,
        longestCallMs: this.#longestCallMs(),
      });
      this.#app = app;
      for (const route of this.#routes) {
        const target = this.#functions.get(route.functionName);
        if (!target) continue;
        const bodyLimit = Math.min(limits.get(route.functionName) ?? defaultBodyBytes, ceiling);
        const call = (request: FastifyRequest) => this.#call(target, route, request);
        addRoute(app, route, { bodyLimit, answerLimit, call });
      }
      await app.listen({ host, port }).catch((cause: unknown) => {
        throw listenError(cause, 'choose another one with --port, or 0 for any');
      });
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Takes no more connections, and resolves when all requests are answered and all calls have ended. */
  async stop({ deadlineMs }: StopOptions = {}): Promise<boolean> {
    this.#draining = true;
    const app = this.#app;
    // A client that disconnects does not end the call that it made.
    const ended = app?.close().then(() => Promise.allSettled(this.#calls.values())) ?? Promise.resolve();
    const done = await doneWithin(ended, deadlineMs);
    app?.server.closeAllConnections();
    this.#probes?.close();
    this.#metrics?.close();
    return done;
  }

  #call(target: LocalFunction, route: Route, request: FastifyRequest): Promise<unknown> {
    const call = callRoute(target, route, request).finally(() => this.#calls.delete(request));
    this.#calls.set(request, call);
    return call;
  }

  #readiness(): ProbeAnswer {
    return this.#draining ? { status: 503, text: 'draining\n' } : fine;
  }

  #longestCallMs(): number {
    const { functions } = this.#options.manifest;
    return Math.max(0, ...[...this.#functions.keys()].map((name) => (functions[name]?.timeout ?? 6) * 1000));
  }
}
