import type { Generated } from 'kysely';

/**
 * `awaiting` an upload that has not come; `uploaded` until `resize-picture` begins; `resizing`; then `ready`, or `failed` if it can
 * never be. shared/pictures/state.ts has the transitions.
 */
export type PictureStatus = 'awaiting' | 'uploaded' | 'resizing' | 'ready' | 'failed';

export interface Pictures {
  id: Generated<number>;
  user_id: number;
  /** Key of the original in the bucket. */
  image_path: string;
  status: Generated<PictureStatus>;
  /** Why it failed, for its owner. */
  reason: string | null;
  content_type: string | null;
  bytes: number | null;
  /** Width of the picture as it is shown, with its orientation applied. */
  width: number | null;
  height: number | null;
  /** Base64 of a placeholder of about 25 bytes. */
  thumbhash: string | null;
  /** The dominant color, as `#rrggbb`. */
  color: string | null;
  /** When the message about the picture was stored in the outbox; null before that. */
  announced_at: Date | null;
  /** Of the version before: until when a function had the lease to announce it. */
  announcing_until: Date | null;
  /** When the owner's friends were notified, whether or not they want mails. */
  friends_notified_at: Date | null;
  deleted_at: Date | null;
  /** When the last object of a deleted picture was removed from the bucket. */
  removed_at: Date | null;
  created_at: Generated<Date>;
  updated_at: Generated<Date>;
}

export interface Variants {
  picture_id: number;
  width: number;
  height: number;
  format: string;
  key: string;
  bytes: number;
}

/** The ledger: a balance is the sum of its entries. */
export interface PointsEntries {
  id: Generated<number>;
  user_id: number;
  picture_id: number;
  reason: string;
  points: number;
  created_at: Generated<Date>;
}

export interface UploadLog {
  picture_id: number;
  user_id: number;
  image_path: string;
  message_id: string | null;
  logged_at: Generated<Date>;
}

/** One row for each mail or text message. `shared/delivery/mail-once.ts` keeps a second delivery from sending it too. */
export interface Mails {
  key: string;
  recipient: string;
  picture_id: number | null;
  /** The recipient, if it is a user. */
  user_id: number | null;
  sent_at: Date | null;
  /** Null for mails of earlier versions. */
  made_at: Generated<Date | null>;
}

/** One row for each picture and friend; see `shared/pictures/friend-notices.ts`. */
export interface PictureNotices {
  picture_id: number;
  /** The friend who is notified. */
  user_id: number;
  /** The user who uploaded the picture. */
  from_user: number;
  noted_at: Generated<Date>;
  /** The mail that names the picture; null while the picture waits for a digest. */
  mail_key: string | null;
}
