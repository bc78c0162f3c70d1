import type { MetricObjectWithValues, MetricValue } from 'prom-client';
import type { SentError } from '../isolation/sent-error.ts';
import type { Manifest } from '../manifest.ts';

/** The metrics of a process, as prom-client adds them up. */
export type ProcessMetrics = MetricObjectWithValues<MetricValue<string>>[];

/** What each process serves. */
export interface HttpStart {
  manifest: Manifest;
  /** The folder that handlers' paths start from. */
  folder: string;
  host: string;
  port: number;
  bodyLimit: number;
  answerLimit: number;
  trustProxy: readonly string[];
  /** Milliseconds that requests in flight may take if the process has to end because of an error. */
  drainMs: number;
  /** Number of processes that share the memory of the container. */
  processes: number;
}

/** Messages to a process that serves HTTP. */
export type ToHttpProcess =
  | { kind: 'start'; start: HttpStart }
  /** Asks for the metrics, which also shows that the event loop turns. */
  | { kind: 'measure' }
  | { kind: 'stop'; deadlineMs: number | undefined };

/** Messages from a process that serves HTTP. */
export type FromHttpProcess =
  /** It listens: Node drops messages that reach a process of a cluster earlier. */
  | { kind: 'listening' }
  | { kind: 'ready'; port: number | undefined }
  | { kind: 'unusable'; error: SentError }
  | { kind: 'measured'; metrics: ProcessMetrics };
