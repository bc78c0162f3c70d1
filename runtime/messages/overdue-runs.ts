import { channel } from 'node:diagnostics_channel';

/** Node's own channels connect bundles: each function contains a copy of this module. */
const overdue = channel('warren:overdue-run');

/** Records that handlers still run although their time is over. Without listeners it costs nothing. */
export function recordOverdue(ended: Promise<unknown>): void {
  if (overdue.hasSubscribers) overdue.publish(ended);
}

/**
 * Calls back when a handler of this process has ignored its signal for too long.
 *
 * @param ms milliseconds for a handler to end after its signal.
 */
export function onIgnoredSignal(ms: number, ignored: () => void): void {
  overdue.subscribe((message) => {
    const ended = message as Promise<unknown>;
    const timer = setTimeout(ignored, ms).unref();
    const stop = () => clearTimeout(timer);
    ended.then(stop, stop);
  });
}
