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

export interface LineageOptions extends Omit<LifeOptions, 'report' | 'retired'> {
  log: Log;
  observer: ProcessObserver;
}
