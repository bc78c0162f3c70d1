import type { FastifyInstance } from 'fastify';
import { parseAddresses } from '../amqp/address.ts';
import type { Log } from '../base/log.ts';
import { version } from '../base/version.ts';
import type { Host } from '../hosts/host.ts';
import { listenError } from '../hosts/listen.ts';
import { type Access, localAccess } from './access.ts';
import type { Source } from './api-types.ts';
import { createApp } from './app.ts';
import { AuditLog } from './audit.ts';
import { IndexFollower } from './follow.ts';
import { Jobs } from './jobs.ts';
import { type BoardLetters, projectLetters } from './letters.ts';
import { FunctionMetrics } from './live/function-metrics.ts';
import { LiveSampler } from './live/live-sampler.ts';
import { LiveSource } from './live/live-source.ts';
import type { ServiceView } from './live/service-view.ts';
import { type PageFiles, readPage } from './page-files.ts';

export interface BoardOptions {
  /** AMQP URL of the broker, with the virtual host whose dead letters are served. */
  url: string;
  /** Address that it listens to, default 127.0.0.1. Another one than that of this machine needs an `access` with tokens. */
  host?: string | undefined;
  /** 0 for any. */
  port: number;
  /** The dead letters that it shows, default those of the project by their index. The board closes them. */
  letters?: BoardLetters | undefined;
  /** Path of the file of the audit log, default none. */
  auditFile?: string | undefined;
  /** Who may use it, default programs of this machine. */
  access?: Access | undefined;
  /** The page, default the package's own; an empty map for none. */
  page?: PageFiles | undefined;
  /** URL of the management API with its login; without it, rates and messages in flight are unknown. */
  managementUrl?: string | undefined;
  /** Topology and functions of a manifest, default none. */
  service?: ServiceView | undefined;
  /** URLs of workers' metrics, default none. */
  metrics?: readonly string[] | undefined;
  /** Mistakes of the project that are not mended, default none are shown. */
  problems?: (() => string[]) | undefined;
  /** Milliseconds before a drop begins, default 10,000. */
  graceMs?: number | undefined;
  log: Log;
}

/** Serves the page of the board and its API: the dead letters of a virtual host, what runs there now, and jobs on dead letters. */
export class Board implements Host {
  readonly #options: BoardOptions;
  readonly #letters: BoardLetters;
  readonly #follower: IndexFollower;
  readonly #jobs: Jobs;
  readonly #audit: AuditLog;
  readonly #live: LiveSource;
  readonly #sampler: LiveSampler;
  #app: FastifyInstance | undefined;

  constructor(options: BoardOptions) {
    const { url, log, graceMs, auditFile, managementUrl, service, metrics = [] } = options;
    const { letters = projectLetters(url) } = options;
    const { index, actions } = letters;
    this.#options = options;
    const follower = new IndexFollower(index, log);
    const audit = new AuditLog({ file: auditFile, log });
    this.#letters = letters;
    this.#follower = follower;
    this.#audit = audit;
    this.#jobs = new Jobs({
      index,
      actions,
      log,
      graceMs,
      begins: ({ id: job, user, action, to, selected }, filter) =>
        audit.add(user, action, { job, to, selected, filter }),
      async ended(job, state) {
        // Its failure is the follower's problem.
        if (!job || job.met > 0) await follower.catchUp().catch(() => undefined);
        if (job && state)
          await audit.add(job.user, state, { job: job.id, action: job.action, done: job.done });
      },
    });
    this.#live = new LiveSource({
      url,
      managementUrl,
      service,
      metrics: new FunctionMetrics(metrics),
      deadLetters: () => new Map(index.groups({}, ['queue']).map(({ queue = '', count }) => [queue, count])),
    });
    this.#sampler = new LiveSampler(() => this.#live.read());
  }

  /** The port that it listens to. */
  get port(): number {
    return (this.#app?.server.address() as { port: number } | null | undefined)?.port ?? this.#options.port;
  }

  /** @throws WarrenError ERR_PORT_TAKEN if the port is taken. */
  async start(): Promise<void> {
    const { url, log, host = '127.0.0.1', port, access = localAccess(), problems } = this.#options;
    const { page = await readPage() } = this.#options;
    const app = await createApp({
      url,
      log,
      access,
      page,
      index: this.#letters.index,
      follower: this.#follower,
      jobs: this.#jobs,
      audit: this.#audit,
      live: this.#live,
      sampler: this.#sampler,
      vhost: parseAddresses(url)[0]?.vhost ?? '/',
      broker: () => this.#live.broker(),
      version,
      sources: () => this.#sources(),
      problems,
    });
    try {
      await app.listen({ host, port });
    } catch (cause) {
      throw listenError(cause, 'choose another one with --port');
    }
    this.#app = app;
    this.#follower.start();
    this.#sampler.start();
  }

  /** Stops the jobs after the dead letters in flight. */
  async stop(): Promise<boolean> {
    await this.#app?.close();
    await this.#jobs.close();
    await this.#follower.stop();
    await this.#sampler.stop();
    await this.#letters.index.close();
    await this.#live.close();
    await this.#audit.close();
    return true;
  }

  #sources(): Source[] {
    const { problemText } = this.#follower;
    return this.#letters.sources().map((source) => ({ ...source, problem: source.problem ?? problemText }));
  }
}
