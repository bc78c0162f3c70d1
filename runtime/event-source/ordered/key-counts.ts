/** Keys with messages in hand, by what their first message does. */
export interface KeyCounts {
  /** A call works on it. */
  running: number;
  /** It waits for a call, or for the limits of its key. */
  waiting: number;
  /** It failed, and waits for its retry. */
  retrying: number;
}

/** Numbers of the messages of a key. */
interface KeyMessages {
  waiting: readonly unknown[];
  delayed: number;
  running: number;
}

/** Counts keys; those without messages do not count. */
export function countKeys(keys: readonly KeyMessages[]): KeyCounts {
  const counts = { running: 0, waiting: 0, retrying: 0 };
  for (const { running, waiting, delayed } of keys) {
    if (running > 0) counts.running += 1;
    else if (waiting.length > 0) counts.waiting += 1;
    else if (delayed > 0) counts.retrying += 1;
  }
  return counts;
}
