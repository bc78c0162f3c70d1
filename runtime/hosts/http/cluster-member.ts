import cluster, { type Worker as ClusterWorker } from 'node:cluster';
import { doneWithin } from '../../base/deadline.ts';
import { type Exit, exitOf, readiness } from '../isolation/ending.ts';
import type { FromHttpProcess, HttpStart, ProcessMetrics, ToHttpProcess } from './cluster-protocol.ts';

export interface MemberOptions {
  start: HttpStart;
  /** Milliseconds that the functions may take to load. */
  loadMs: number;
  measured: (member: Member, metrics: ProcessMetrics) => void;
}

/** One of several processes that serve HTTP. */
export class Member {
  /** Resolves with the port when it serves; rejects with its error if that fails. */
  readonly ready: Promise<number>;
  readonly ended: Promise<Exit>;
  readonly #worker: ClusterWorker;
  readonly #startedAt = performance.now();
  /** When it was asked first since its last message. */
  #askedAt: number | undefined;
  #isReady = false;
  #waiting: (() => void)[] = [];

  constructor({ start, loadMs, measured }: MemberOptions) {
    this.#worker = cluster.fork();
    const { process: child } = this.#worker;
    this.ended = exitOf(child);
    let port = start.port;
    child.on('message', (message: FromHttpProcess) => {
      this.#askedAt = undefined;
      if (message.kind === 'listening') this.#send({ kind: 'start', start });
      if (message.kind === 'ready') port = message.port ?? port;
      if (message.kind !== 'measured') return;
      measured(this, message.metrics);
      for (const resolve of this.#waiting.splice(0)) resolve();
    });
    this.ready = readiness(child, { what: 'serve', ended: this.ended, loadMs }).then(() => {
      this.#isReady = true;
      return port;
    });
    this.ready.catch(() => child.kill('SIGKILL'));
  }

  get pid(): number | undefined {
    return this.#worker.process.pid;
  }

  get isReady(): boolean {
    return this.#isReady && !this.#worker.isDead();
  }

  /** Milliseconds since the start. */
  get ageMs(): number {
    return performance.now() - this.#startedAt;
  }

  /** Milliseconds for which it has not answered a question. */
  get silentMs(): number {
    return this.#askedAt === undefined ? 0 : performance.now() - this.#askedAt;
  }

  /** Asks for the metrics, and waits for them, but not for long: the event loop may be blocked. */
  async measure(ms = 1000): Promise<void> {
    const measured = new Promise<void>((resolve) => this.#waiting.push(resolve));
    // A process that drains has no channel any more.
    if (!this.#worker.isConnected()) return;
    this.#askedAt ??= performance.now();
    this.#send({ kind: 'measure' });
    await doneWithin(Promise.race([measured, this.ended]), ms);
  }

  /** Drains it and ends it. Returns whether all its requests were answered in time. */
  async stop(deadlineMs: number | undefined): Promise<boolean> {
    // It has no requests, and may not listen yet.
    if (!this.#isReady) {
      this.kill();
      await this.ended;
      return true;
    }
    this.#send({ kind: 'stop', deadlineMs });
    // Takes the shared port from the process before that closes its own server. A connection that reaches a closed server goes back
    // to this process, which holds it without an answer when no other process is left. It closes the channel as well.
    this.#worker.disconnect();
    const limit = deadlineMs === undefined ? undefined : deadlineMs + 2000;
    if (!(await doneWithin(this.ended, limit))) this.kill();
    return (await this.ended).code === 0;
  }

  kill(): void {
    this.#worker.process.kill('SIGKILL');
  }

  #send(message: ToHttpProcess): void {
    // If the process has ended, that is known soon.
    if (this.#worker.isConnected())
      this.#worker.process.send?.(message, undefined, undefined, () => undefined);
  }
}
