/** npm forwards an interrupt that the terminal has delivered already: two within this time, in milliseconds, are one. */
const sameInterruptMs = 1000;

export interface SignalOptions {
  /** Default SIGTERM and SIGINT. */
  signals?: readonly NodeJS.Signals[];
  /** Exit code of the process at a second signal, default 1. */
  exitCode?: number;
}

/**
 * Listens for the signals that end a process. A second one ends it at once. The listeners stay until they are removed: a signal that has
 * none for a moment, because one is removed before the next is added, kills the process.
 *
 * @param first is called at the first signal.
 * @returns a function that removes the listeners.
 */
export function onSignal(
  first: (signal: NodeJS.Signals) => void,
  { signals = ['SIGTERM', 'SIGINT'], exitCode = 1 }: SignalOptions = {},
): () => void {
  let isSame: boolean | undefined;
  // A busy process reads a signal late. One that came in time is read between the timer and the immediate.
  const pass = () => {
    isSame = false;
  };
  const listener = (signal: NodeJS.Signals) => {
    if (isSame === undefined) {
      isSame = true;
      setTimeout(() => setImmediate(pass), sameInterruptMs).unref();
      first(signal);
    } else if (!isSame || signal !== 'SIGINT') process.exit(exitCode);
  };
  for (const signal of signals) process.on(signal, listener);
  return () => {
    for (const signal of signals) process.off(signal, listener);
  };
}
