import cluster from 'node:cluster';
import { availableParallelism } from 'node:os';
import type { Log } from '../../base/log.ts';
import { pause } from '../../event-source/backoff.ts';
import type { Host, StopOptions } from '../host.ts';
import { type Exit, exitText } from '../isolation/ending.ts';
import { optionsOfNode } from '../isolation/program.ts';
import { Restarts } from '../isolation/restarts.ts';
import { fine, type ProbeAnswer, type Probes, serveProbes } from '../probes.ts';
import { Member } from './cluster-member.ts';
import { ClusterMetrics } from './cluster-metrics.ts';
import type { HttpStart } from './cluster-protocol.ts';
import { readRoutes } from './routes.ts';

export interface HttpClusterOptions extends Omit<HttpStart, 'processes'> {
  /** Number of processes; `auto` is the number of cores. */
  processes: number | 'auto';
  /** A module that calls `runHttpProcess`, and its arguments. */
  program: { file: string; args: readonly string[] };
  /** Address of the metrics and the health of all processes together; the port as `HttpHostOptions.probes`. */
  probes: { host: string; port?: number | undefined };
  log: Log;
  /** Milliseconds that the functions may take to load, default 60000. */
  loadMs?: number;
}

/** Milliseconds between two questions to each process. */
const intervalMs = 1000;
/** Milliseconds beyond the longest call for which an event loop may be blocked before its process is ended. */
const reserveMs = 5000;

/**
 * Serves the routes of a manifest with several processes on one port. A process that ends is replaced, and so is one whose event
 * loop is blocked for longer than a call may take; the others go on.
 */
export class HttpCluster implements Host {
  readonly #options: HttpClusterOptions;
  readonly #metrics = new ClusterMetrics();
  readonly #members = new Set<Member>();
  readonly #stopping = new AbortController();
  readonly #longestCallMs: number;
  readonly #count: number;
  #watch: NodeJS.Timeout | undefined;
  #probes: Probes | undefined;
  #port: number | undefined;

  /** @throws WarrenError ERR_CONFIG if a route is malformed. */
  constructor(options: HttpClusterOptions) {
    this.#options = options;
    const { processes, manifest } = options;
    const { functions } = manifest;
    this.#count = processes === 'auto' ? availableParallelism() : processes;
    const timeouts = readRoutes(functions).map(({ functionName }) => functions[functionName]?.timeout ?? 6);
    this.#longestCallMs = Math.max(0, ...timeouts) * 1000;
  }

  /** Port of the routes; undefined before the start. */
  get port(): number | undefined {
    return this.#port;
  }

  /** Port of the probes; undefined before the start. */
  get probesPort(): number | undefined {
    return this.#probes?.port;
  }

  /**
   * Starts all processes and binds both ports.
   *
   * @throws WarrenError ERR_CONFIG if a function cannot be loaded, ERR_PORT_TAKEN; any error of a module.
   */
  async start(): Promise<void> {
    const { probes, program } = this.#options;
    cluster.setupPrimary({
      exec: program.file,
      args: [...program.args],
      execArgv: optionsOfNode(),
      serialization: 'advanced',
    });
    try {
      const metrics = { read: () => this.#read() };
      this.#probes = await serveProbes({ ...probes, metrics, ready: () => this.#readiness() });
      // The first one finds the port that the others share.
      this.#port = await this.#begin(new Restarts()).ready;
      const others = Array.from({ length: this.#count - 1 }, () => this.#begin(new Restarts()).ready);
      await Promise.all(others);
    } catch (error) {
      await this.stop({ deadlineMs: 0 });
      throw error;
    }
    this.#watch = setInterval(() => this.#ask(), intervalMs).unref();
  }

  /** Takes no more connections, and resolves when all processes have answered their requests and ended. */
  async stop({ deadlineMs }: StopOptions = {}): Promise<boolean> {
    this.#stopping.abort();
    clearInterval(this.#watch);
    const done = await Promise.all([...this.#members].map((member) => member.stop(deadlineMs)));
    this.#probes?.close();
    return done.every(Boolean);
  }

  #begin(restarts: Restarts): Member {
    // Also port 0: Node gives all processes of a cluster that ask for any port the same one.
    const { loadMs = 60_000, manifest, folder, host, port, trustProxy, drainMs } = this.#options;
    const { bodyLimit, answerLimit } = this.#options;
    const processes = this.#count;
    const member = new Member({
      start: { manifest, folder, host, port, bodyLimit, answerLimit, trustProxy, drainMs, processes },
      loadMs,
      measured: (from, metrics) => this.#metrics.measured(from, metrics),
    });
    this.#members.add(member);
    this.#metrics.processes.inc();
    void member.ended.then((exit) => this.#ended(member, exit, restarts));
    return member;
  }

  async #ended(member: Member, exit: Exit, restarts: Restarts): Promise<void> {
    const { signal } = this.#stopping;
    const hadCalls = await member.ready.then(
      () => true,
      () => false,
    );
    this.#members.delete(member);
    this.#metrics.processes.dec();
    await this.#metrics.ended(member);
    // If one fails during the start, so does the start.
    if (signal.aborted || this.#watch === undefined) return;
    this.#options.log.error({ pid: member.pid }, `a process ended with ${exitText(exit)}, starting another`);
    await pause(restarts.ended({ ageMs: member.ageMs, hadCalls }), signal);
    if (signal.aborted) return;
    this.#metrics.restarts.inc();
    this.#begin(restarts).ready.catch((err: unknown) => {
      if (!signal.aborted) this.#options.log.error({ err }, 'a process cannot serve');
    });
  }

  #ask(): void {
    for (const member of this.#members) {
      if (!member.isReady) continue;
      if (member.silentMs > this.#longestCallMs + reserveMs) {
        const ms = Math.round(member.silentMs);
        this.#options.log.error({ pid: member.pid, ms }, 'a call blocked the event loop, ending its process');
        member.kill();
      } else void member.measure();
    }
  }

  async #read() {
    await Promise.all([...this.#members].map((member) => (member.isReady ? member.measure() : undefined)));
    return this.#metrics.read();
  }

  #readiness(): ProbeAnswer {
    if (this.#stopping.signal.aborted) return { status: 503, text: 'draining\n' };
    const serves = [...this.#members].some(({ isReady }) => isReady);
    return serves ? fine : { status: 503, text: 'no process serves\n' };
  }
}
