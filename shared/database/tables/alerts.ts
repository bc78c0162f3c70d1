import type { ColumnType, Generated } from 'kysely';

export interface AlertLog {
  id: Generated<number>;
  message_id: string | null;
  routing_key: string | null;
  /** The body as it came. */
  content: ColumnType<unknown, string, never>;
  logged_at: Generated<Date>;
}

/** Alerts that wait for their channel. */
export interface AlertBacklog {
  id: Generated<number>;
  /** Hash of the alert's key. */
  hash: string;
  queue: string;
  alert: ColumnType<unknown, string, never>;
  raised_at: Date;
  joined_at: Generated<Date>;
  failures: Generated<number>;
  /** When an alert that was passed by is tried again; null for one that waits for its turn. */
  retry_at: ColumnType<Date | null, Date | null | undefined, Date | null>;
}

/** Channels that have asked to be left alone; a row stays when its pause is over. */
export interface AlertPauses {
  queue: string;
  until: Date;
  /** Id of the alert in the backlog that was answered; null for one that was not in it. */
  alert_id: number | null;
  /** How often in a row the same alert was answered like that. */
  times: Generated<number>;
}

/** Alerts with the same key as an earlier one; one row for each key, while there are any. */
export interface AlertDigests {
  queue: string;
  dedup_key: string;
  opened_at: Date;
  /** Alerts that no summary has counted yet; the next two fields have the times of the first and the last of them. */
  more: number;
  first_at: Date | null;
  last_at: Date | null;
  /** The last alert, or the first while there is no other. */
  last: ColumnType<unknown, string, string>;
  /** Seconds. */
  summary_interval: number;
  due_at: Date;
}

export interface AlertSeen {
  /** Hash of the alert's key. */
  hash: string;
  seen_at: Generated<Date>;
}
