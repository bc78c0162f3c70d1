/** A part of a program that calls functions until it is stopped: a worker, an HTTP server, a scheduler, an event source. */
export interface Host {
  /** Starts. If it fails, it stops what it has started and throws. */
  start(): Promise<void>;
  /**
   * Takes no new work, and resolves when the calls in flight have ended.
   *
   * @returns whether they ended before the deadline.
   */
  stop(options?: StopOptions): Promise<boolean>;
  /**
   * Fails the calls in flight in this process, because of an error that reached none of them: each may have caused it, and what
   * it has left behind is unknown. Stop the host next.
   */
  fail?(error: unknown): void;
}

export interface StopOptions {
  /** How long the calls in flight may take, in milliseconds; default no limit. */
  deadlineMs?: number | undefined;
}
