import type { Log } from '../../base/log.ts';
import type { ProcessObserver } from './process-observer.ts';
import type { ProcessProgram } from './program.ts';
import type { FromProcess, ProcessStart } from './protocol.ts';

export interface LifeOptions extends ProcessProgram {
  start: ProcessStart;
  /** Time limit of a call in milliseconds. */
  timeoutMs: number;
  /** Milliseconds that the function may take to load. */
  loadMs: number;
  /** Milliseconds that the other calls in flight have to end after one was late. */
  graceMs: number;
  /** Receives what the process reports beside the results of its calls. */
  report: (message: FromProcess) => void;
  /** The process takes no more calls, because one was late. */
  retired: () => void;
}

export interface OneCall {
  /** Whether the call may not be made again, so that it fails if its process ends for another; default false. */
  once?: boolean;
  /** Deadline of its caller in milliseconds since 1970, at which the call fails and its process stays; default none. */
  until?: number | undefined;
  /** The consumer whose calls come one after the other; default none. */
  lane?: number | undefined;
}

export interface LineageOptions extends Omit<LifeOptions, 'report' | 'retired'> {
  log: Log;
  observer: ProcessObserver;
}
