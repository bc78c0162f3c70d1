import fastify, { type FastifyInstance } from 'fastify';
import { WarrenError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { indexActions } from '../dead-letters/actions.ts';
import { DeadLetterIndex } from '../dead-letters/dead-letter-index.ts';
import { NoDeadLetterIndexError } from '../dead-letters/entries.ts';
import type { Host } from '../hosts/host.ts';
import { sendError, sendNoRoute } from '../hosts/http/answers.ts';
import { listenError } from '../hosts/listen.ts';
import { Problem, toProblem } from '../http/problem.ts';
import { problemSecurity } from '../http/security.ts';
import { IndexFollower } from './follow.ts';
import { addGuard } from './guard.ts';
import { addJobRoutes } from './job-routes.ts';
import { Jobs } from './jobs.ts';
import { addLetterRoutes } from './letter-routes.ts';

export interface BoardOptions {
  /** AMQP URL of the broker, with the virtual host whose dead letters are served. */
  url: string;
  /** 0 for any. */
  port: number;
  /** Path of the file of the index, default none. */
  file?: string | undefined;
  /** Milliseconds before a drop begins, default 10,000. */
  graceMs?: number | undefined;
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
    const { url, file, log, graceMs } = options;
    this.#options = options;
    const index = new DeadLetterIndex(url, { file });
    const follower = new IndexFollower(index, log);
    this.#index = index;
    this.#follower = follower;
    this.#jobs = new Jobs({
      index,
      actions: indexActions(url),
      log,
      graceMs,
      ended: () => follower.updateAll(),
    });
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
    addGuard(app);
    const [index, follower, jobs] = [this.#index, this.#follower, this.#jobs];
    await app.register(async (scope) => {
      scope.addHook('onRequest', async () => {
        // Before the first update, the index would seem to be empty.
        if (!follower.updatedAt)
          throw follower.problem ?? new Problem(503, 'Unavailable', 'the index is being read');
      });
      addLetterRoutes(scope, { index, follower });
      addJobRoutes(scope, { follower, jobs });
    });
    return app;
  }
}

function problemOf(error: unknown): unknown {
  if (error instanceof NoDeadLetterIndexError) return new Problem(503, 'No index', error.message);
  return error instanceof WarrenError ? toProblem(error) : error;
}
