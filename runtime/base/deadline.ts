export interface Deadline {
  /** Limit in milliseconds; undefined or Infinity is no limit. */
  ms: number | undefined;
  /** Creates the error for work that is late. It is called at the deadline, so it may also end the work. */
  late: () => Error;
  /** Ends the wait before the deadline, with the signal's reason as the error. */
  signal?: AbortSignal | undefined;
}

/** A longer timer fires at once, because Node keeps its milliseconds in 32 bits. */
const maxTimerMs = 2 ** 31 - 1;

/**
 * Waits for work until a deadline. The timer is cleared when the wait ends. Late work continues, and its result or error
 * is ignored.
 *
 * @throws the error of the work; that of `late` at the deadline; the reason of `signal` when it aborts.
 */
export async function withDeadline<T>(work: Promise<T>, { ms, late, signal }: Deadline): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let abort: (() => void) | undefined;
  const ended = new Promise<never>((_, reject) => {
    if (ms !== undefined && ms <= maxTimerMs) timer = setTimeout(() => reject(late()), ms);
    if (!signal) return;
    // One turn later: if the work fails for the same reason, its own error has more detail.
    abort = () => void setImmediate(reject, signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([work, ended]);
  } finally {
    clearTimeout(timer);
    if (abort) signal?.removeEventListener('abort', abort);
  }
}

/**
 * Waits for work until a deadline, for a drain that continues either way. The timer does not keep the process alive.
 *
 * @param ms limit in milliseconds; undefined or Infinity is no limit.
 * @returns whether the work finished in time.
 * @throws the error of the work, if it fails in time.
 */
export async function doneWithin(work: Promise<unknown>, ms?: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    if (ms !== undefined && ms <= maxTimerMs) timer = setTimeout(resolve, ms, false).unref();
  });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
