import type { Usage } from './protocol.ts';

/** Is notified of what the processes of functions do, for metrics; its methods must not throw. */
export interface ProcessObserver {
  /** A process runs (1) or has ended (-1). */
  running?(functionName: string, change: 1 | -1): void;
  /** A process was replaced. */
  restarted?(functionName: string): void;
  /** @param slot identifies the process and those that replace it; without `usage` it has ended. */
  usage?(functionName: string, slot: object, usage?: Usage): void;
  /** A call has blocked the event loop of its process. */
  blocked?(functionName: string): void;
}
