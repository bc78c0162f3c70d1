// Types of the board's API: requests that change something, and the audit log.

/** `POST /api/letters/:offset/replay`: replays an edited dead letter as a new message. */
export interface EditedReplay {
  /** Queue of the new message, default the queue in which the old one failed. */
  to?: string | undefined;
  /** The new body in base64. */
  body: string;
  /** Default that of the old one. */
  content_type?: string | undefined;
  /** Replace the old one's application headers; default: they are kept. */
  headers?: Record<string, unknown> | undefined;
}

/** 201 of an edited replay. 404 if the dead letter is gone, 409 if the queue is gone. */
export interface EditedReplayed {
  message_id: string;
  /** Id of the old dead letter, also in the new message's header `x-warren-replaces`. */
  replaces: string;
}

/** Selects dead letters; `{}` selects all. */
export interface JobFilter {
  queue?: string | undefined;
  reason?: string | undefined;
  /** A part of the error's first line. */
  error?: string | undefined;
  /** The whole first line of the error. */
  error_is?: string | undefined;
  place?: string | undefined;
  id?: string | string[] | undefined;
  /** Exact positions, at most 100,000. */
  offset?: number[] | undefined;
}

/** `POST /api/jobs`, which answers 202 with the job. */
export interface NewJob {
  action: 'replay' | 'drop';
  filter: JobFilter;
  /** Queue for all of a replay, default the queue in which each failed. */
  to?: string | undefined;
  /** Whether a replay has one dead letter in flight in place of up to 100, so that a kill doubles at most one; default false. */
  one_at_a_time?: boolean | undefined;
}

/** A dead letter that stays in its queue. */
export interface JobStayed {
  id: string;
  queue: string;
  reason: string;
  /** Why it cannot be published; missing if its queue is gone. */
  problem?: string;
}

/**
 * A drop begins after a grace period. In `pending`, `DELETE /api/jobs/:id` undoes it. `waiting` waits for other jobs. In `paused`,
 * the dead letters that are left stay in their queue until `POST /api/jobs/:id/resume`.
 */
export type JobState = 'pending' | 'waiting' | 'running' | 'paused' | 'done' | 'stopped' | 'failed';

/** `GET /api/jobs/:id`; `DELETE /api/jobs/:id`, `POST /api/jobs/:id/pause` and `/resume` answer with it as well. */
export interface Job {
  id: string;
  action: 'replay' | 'drop';
  to?: string | undefined;
  one_at_a_time?: boolean | undefined;
  state: JobState;
  /** Number of dead letters that were selected. */
  selected: number;
  /** Number of those that the job has met in their queue. */
  met: number;
  /** Number of those that were replayed or dropped. */
  done: number;
  /** Those that stay because their queue is gone or because they cannot be published, at most 100. */
  stayed: JobStayed[];
  /** Who made the job. */
  user: string;
  createdAt: string;
  /** When the grace period of a drop ends. */
  begins_at?: string;
  endedAt?: string;
  /** Why it failed. */
  problem?: string;
}

/** `GET /api/jobs`, the latest first. */
export interface JobList {
  jobs: Job[];
}

export interface AuditEntry {
  at: string;
  user: string;
  /** Such as `replay`, `drop`, `edit`, `pause`, `resume`, `stop`, and `done`, `stopped` or `failed` at a job's end. */
  action: string;
  /** Fields of the action, such as `{ job, selected, filter, to }`. */
  detail: Record<string, unknown>;
}

/** `GET /api/audit?limit=100&before=<at>`, the latest first. */
export interface Audit {
  entries: AuditEntry[];
}
