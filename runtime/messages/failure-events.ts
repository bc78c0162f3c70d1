import { channel } from 'node:diagnostics_channel';
import type { Verdict } from './failure-policy.ts';

/** A failed message that is safe in a retry queue or in the dead letters. */
export interface FailedMessage {
  queue: string;
  to: Verdict['to'];
  /** `retry`, or the reason why it is dead-lettered. */
  reason: string;
}

/** Node's own channels connect bundles: each function contains a copy of this module. */
const failures = channel('warren:message-set-aside');

/** Records that the copy of a failed message is safe. Without listeners it costs nothing. */
export function recordFailure(queue: string, verdict: Verdict): void {
  if (!failures.hasSubscribers) return;
  failures.publish({ queue, to: verdict.to, reason: verdict.to === 'retry' ? 'retry' : verdict.reason });
}

/** Records a failed message that another process has recorded. */
export function repeatFailure(message: FailedMessage): void {
  failures.publish(message);
}

/**
 * Listens for messages of this process's functions that failed and were copied.
 *
 * @returns a function that stops listening.
 */
export function onFailure(listen: (message: FailedMessage) => void): () => void {
  const listener = (message: unknown) => listen(message as FailedMessage);
  failures.subscribe(listener);
  return () => failures.unsubscribe(listener);
}
