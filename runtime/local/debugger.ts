import inspector from 'node:inspector';
import { setTimeout as pause } from 'node:timers/promises';
import { isFree } from './free-port.ts';

/** Milliseconds between two looks at a port that is taken. */
const retryMs = 100;

/**
 * Lets a debugger attach to this process at a port of 127.0.0.1, as soon as the port is free: after a reload, the process with the old
 * code keeps it until its calls have ended.
 */
export async function openDebugger(port: number): Promise<void> {
  // An editor may have opened another port in this process (NODE_OPTIONS); Node has one at most.
  while (inspector.url() === undefined) {
    // Node prints an error for a port that is taken, and another process may be faster than this one.
    if (await isFree(port)) inspector.open(port, '127.0.0.1');
    if (inspector.url() === undefined) await pause(retryMs, undefined, { ref: false });
  }
}
