// Types of the board's API: queues and functions now, their history, the topology, and the spy.

/** A queue now. Numbers that need the management API are null without it. */
export interface LiveQueue {
  name: string;
  /** Names of the functions that it feeds. */
  functions: string[];
  waiting: number;
  in_flight: number | null;
  consumers: number;
  /** Messages per second. */
  rate_in: number | null;
  rate_out: number | null;
  /** Age of the oldest message in milliseconds. */
  oldest_age_ms: number | null;
  /** Messages that wait for a retry; null if the queue has no retries. */
  retrying: number | null;
  /** Those that wait in queues of their own, by the length of their wait. */
  retries: LiveRetry[];
  dead_letters: number;
  /** With `orderBy` or `perKey`; their messages count for the queue as well. */
  partitions?: LivePartition[];
  /** With `limit`. */
  limit?: LiveLimit;
  /** With `perKey`. */
  per_key?: LivePerKey;
}

export interface LiveRetry {
  seconds: number;
  waiting: number;
}

/** Keys with messages that workers have in hand, by what the first message of each does. */
export interface LiveKeys {
  running: number;
  /** For a call, or for the limits of the key. */
  waiting: number;
  retrying: number;
}

export interface LivePartition {
  name: string;
  waiting: number;
  in_flight: number | null;
  /** Messages that wait aside because their keys have more than their share; null without `perKey`. */
  parked: number | null;
  /** null if no worker reports them in its metrics. */
  keys: LiveKeys | null;
}

export interface LiveLimit {
  /** Messages that may be handed to the function in so many seconds. */
  count: number;
  seconds: number;
  /** How many of them may be handed over now, without those that workers hold; null if the broker does not have the limit. */
  free: number | null;
  /** Messages that wait for it. */
  waiting: number;
}

/** What the messages of one key may take. */
export interface LivePerKey {
  /** Where a message has its key, such as `header.tenant`. */
  of: string;
  /** Messages of a key that are handled at a time; null for any number. */
  concurrency: number | null;
  /** Messages of a key that may be handed to the function in so many seconds; null for any number. */
  limit: { count: number; seconds: number } | null;
  /** Messages that wait aside because their keys have more than their share. */
  waiting: number;
}

/** Messages with a delay. */
export interface LiveScheduled {
  total: number;
  /** Those that are due within a time at the latest, the earliest first; each message counts once. */
  levels: { waiting: number; due_within_ms: number }[];
  /** Messages that are due and that their exchange or queue does not take. */
  held: { kind: 'exchange' | 'queue'; name: string; waiting: number }[];
}

export interface LiveFunction {
  name: string;
  calls_per_s: number | null;
  failures_per_s: number | null;
  /** Duration of its calls. */
  p50_ms: number | null;
  p95_ms: number | null;
  /** Time from the publish of a message to its first call, by its timestamp in whole seconds. */
  queue_p50_ms: number | null;
  queue_p95_ms: number | null;
}

/** `GET /api/live`: server-sent events every 2 s, or JSON once with `Accept: application/json`. */
export interface Live {
  at: string;
  queues: LiveQueue[];
  functions: LiveFunction[];
  /** null if the broker has no queues for delays. */
  scheduled: LiveScheduled | null;
  /** Why numbers are missing, such as no management API; null if none are. */
  problem: string | null;
}

export interface HistoryQueue {
  name: string;
  /** Times in milliseconds since 1970. */
  at: number[];
  waiting: number[];
  rate_in: (number | null)[];
  rate_out: (number | null)[];
  dead_letters: number[];
}

/** `GET /api/history?range=hour|day`, which the board collects while it runs. */
export interface History {
  range: 'hour' | 'day';
  step_ms: number;
  queues: HistoryQueue[];
}

export interface TopologyNode {
  /** `<kind>:<name>`. */
  id: string;
  kind: 'exchange' | 'queue' | 'function';
  name: string;
}

export interface TopologyEdge {
  from: string;
  to: string;
  /** Routing key of a binding; empty otherwise. */
  key: string;
  /** Messages per second; null if it is not known. */
  rate: number | null;
}

/** `GET /api/topology`. */
export interface TopologyMap {
  nodes: TopologyNode[];
  edges: TopologyEdge[];
}

/** An event of `GET /api/spy?exchange=&key=&text=`. */
export interface Spied {
  at: string;
  exchange: string;
  routing_key: string;
  message_id: string | null;
  headers: Record<string, unknown>;
  /** At most 1,000 characters; base64 if it is not text. */
  body_preview: string;
  bytes: number;
}

/** An event of the spy in place of messages: at most 50 are sent per second. */
export interface SpySkipped {
  skipped: number;
}
