import fastify, { type FastifyInstance } from 'fastify';
import { WarrenError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { DeadLetterIndex } from '../dead-letters/dead-letter-index.ts';
import { NoDeadLetterIndexError } from '../dead-letters/entries.ts';
import type { Host } from '../hosts/host.ts';
import { sendError, sendNoRoute } from '../hosts/http/answers.ts';
import { listenError } from '../hosts/listen.ts';
import { Problem, toProblem } from '../http/problem.ts';
import { problemSecurity } from '../http/security.ts';
import { IndexFollower } from './follow.ts';
import { Jobs } from './jobs.ts';
import { readPage } from './page-files.ts';
import { addPageRoutes } from './page-routes.ts';
import { addRoutes } from './routes.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether the route needs no token. */
    isOpen?: boolean;
  }
}

export interface BoardOptions {
  /** AMQP URL of the broker, with the virtual host whose dead letters are served. */
  url: string;
  /** 0 for any. */
  port: number;
  /** Path of the file of the index, default none. */
  file?: string | undefined;
  log: Log;
}

/** It checks no user, so only programs of this machine can connect. */
const address = '127.0.0.1';
/** Names in URLs of this machine. A page of another site may have a name that resolves to this address. */
const ownNames = new Set(['127.0.0.1', 'localhost']);
/** Bytes of a request; a selection of 100,000 ids has about 4 MB. */
const bodyLimit = 8_000_000;

/** Serves the dead letters of a virtual host as JSON: counts, pages, search, and jobs that replay or drop them. */
export class Board implements Host {
  readonly #options: BoardOptions;
  readonly #index: DeadLetterIndex;
  readonly #follower: IndexFollower;
  readonly #jobs: Jobs;
  #app: FastifyInstance | undefined;

  constructor(options: BoardOptions) {
    const { url, file, log } = options;
    this.#options = options;
    const index = new DeadLetterIndex(url, { file });
    const follower = new IndexFollower(index, log);
    this.#index = index;
    this.#follower = follower;
    this.#jobs = new Jobs({ url, index, log, ended: () => follower.updateAll() });
  }

  /** The port that it listens to. */
  get port(): number {
    return (this.#app?.server.address() as { port: number } | null | undefined)?.port ?? this.#options.port;
  }

  /** @throws WarrenError ERR_PORT_TAKEN if the port is taken. */
  async start(): Promise<void> {
    const app = await this.#createApp();
    try {
      await app.listen({ host: address, port: this.#options.port });
    } catch (cause) {
      throw listenError(cause, 'choose another one with --port');
    }
    this.#app = app;
    this.#follower.start();
  }

  /** Stops the jobs after the dead letters in flight. */
  async stop(): Promise<boolean> {
    await this.#app?.close();
    await this.#jobs.close();
    await this.#follower.stop();
    await this.#index.close();
    return true;
  }

  async #createApp(): Promise<FastifyInstance> {
    const { log } = this.#options;
    const security = await problemSecurity();
    const app = fastify({ bodyLimit, forceCloseConnections: true });
    // A page of another site may send text without asking.
    app.removeContentTypeParser('text/plain');
    app.setErrorHandler((error, request, reply) => {
      sendError(log, problemOf(error), request, reply);
    });
    app.setNotFoundHandler(sendNoRoute);
    app.addHook('onRequest', async ({ hostname }, reply) => {
      reply.headers({ ...security, 'Cache-Control': 'no-store' });
      if (ownNames.has(hostname)) return;
      const names = [...ownNames].join(' or ');
      throw new Problem(421, 'Misdirected Request', `host: expected ${names}, got "${hostname}"`);
    });
    addPageRoutes(app, await readPage(), async () => []);
    // In a scope of its own, because its hook refuses requests before the first update.
    await app.register(async (scope) => {
      addRoutes(scope, { index: this.#index, follower: this.#follower, jobs: this.#jobs });
    });
    return app;
  }
}

function problemOf(error: unknown): unknown {
  if (error instanceof NoDeadLetterIndexError) return new Problem(503, 'No index', error.message);
  return error instanceof WarrenError ? toProblem(error) : error;
}
