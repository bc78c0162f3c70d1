import type { ClientEvent } from '../../amqp/client-events.ts';
import type { FunctionDefinition } from '../../event-source/mapping.ts';
import type { FailedMessage } from '../../messages/failure-events.ts';
import type { Manifest } from '../manifest.ts';
import type { SentEvent } from './event-codec.ts';
import type { SentError } from './sent-error.ts';

/** The only function that a process of its own calls. */
export interface ProcessStart {
  functionName: string;
  definition: FunctionDefinition & Manifest['functions'][string];
  /** The folder that the handler's path starts from. */
  folder: string;
  /** Milliseconds for which a call may block the event loop before it is reported. */
  blockedMs: number;
  /** Milliseconds for which a handler may ignore its signal before it is reported. */
  ignoredMs: number;
  /** Whether results are sent as they are, for HTTP; default only the verdicts about messages. */
  wholeResults?: boolean | undefined;
  /** Whether a result is sent as a `PublishingResult`, default false. */
  publishes?: boolean | undefined;
  /** Port at which a debugger can attach, default none. */
  inspectPort?: number | undefined;
}

/** Milliseconds between two reports of what a process uses. */
export const usageMs = 5000;

/** What a process has used. */
export interface Usage {
  /** CPU seconds since its last report. */
  cpuSeconds: number;
  residentBytes: number;
  /** Share of the time since its last report in which its event loop was busy, from 0 to 1. */
  utilization: number;
}

/** Messages from a worker to the process of a function, through Node's own channel. */
export type ToProcess =
  | { kind: 'start'; start: ProcessStart }
  /** Asks for a sign of life. */
  | { kind: 'ping' };

/** A call, through the stream `callsFd`. */
export type SentCall = SentEvent & {
  id: number;
  /** The caller's deadline in milliseconds since 1970. */
  until?: number | undefined;
  /** The consumer whose calls are made one after the other; missing if others may be sent meanwhile. */
  lane?: number | undefined;
  /** Whether it begins when the call in front of it in its lane has ended without a failure, and not at all after a failure. */
  ahead?: boolean;
};

/** Takes back the calls that have not begun, through the same stream; without `lane` those of all lanes. */
export interface Recall {
  recall: true;
  lane?: number | undefined;
}

/** The end of a call, through the same stream. It leaves the process before another call of its lane begins. */
export type SentEnd = {
  id: number;
  lane?: number | undefined;
  /** Milliseconds that it took. */
  ms: number;
} & (
  | {
      kind: 'done';
      result?: unknown;
      /** Whether the next call of the lane begins. */
      next?: boolean;
    }
  | { kind: 'failed'; error: SentError; late: boolean }
);

/** The calls that a `Recall` has taken back. */
export interface Recalled {
  kind: 'recalled';
  ids: number[];
}

/** Messages from the process of a function to its worker, through Node's own channel. */
export type FromProcess =
  | { kind: 'ready' }
  | { kind: 'pong' }
  /** The function cannot be loaded. */
  | { kind: 'unusable'; error: SentError }
  /** An error that no call has caught; the process ends. */
  | { kind: 'stray'; error: SentError }
  /** The function has copied a failed message. */
  | { kind: 'copied'; message: FailedMessage }
  /** What the function's own clients of the broker did since the last report. */
  | { kind: 'clients'; events: ClientEvent[] }
  | { kind: 'usage'; usage: Usage }
  /** A handler has ignored its signal. What it holds may keep others from their work, and nothing but its process ends it. */
  | { kind: 'ignored' }
  /** A call has blocked the event loop. */
  | { kind: 'blocked'; ms: number };
