import type { Generated } from 'kysely';

export interface Users {
  id: number;
  name: string;
  email: string;
  /** Whether the user wants mails about friends' pictures. */
  picture_mails: Generated<boolean>;
}

/** One row for each direction. */
export interface Friendships {
  user_id: number;
  friend_id: number;
}
