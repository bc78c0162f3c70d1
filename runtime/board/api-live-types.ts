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
  /** Messages that wait for a retry, and with a delay, of all queues that share the delays if they cannot be separated. */
  retrying: number | null;
  scheduled: number | null;
  dead_letters: number;
}

export interface LiveFunction {
  name: string;
  calls_per_s: number | null;
  failures_per_s: number | null;
  p50_ms: number | null;
  p95_ms: number | null;
}

/** Messages that wait in a queue for a delay. */
export interface LiveDelay {
  /** Level of a retry or a delay, such as `warren.retry.10s`. */
  name: string;
  waiting: number;
}

/** `GET /api/live`: server-sent events every 2 s, or JSON once with `Accept: application/json`. */
export interface Live {
  at: string;
  queues: LiveQueue[];
  functions: LiveFunction[];
  delays: LiveDelay[];
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
