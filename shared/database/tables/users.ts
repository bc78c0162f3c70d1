import type { Generated } from 'kysely';

export interface Users {
  id: number;
  name: string;
  email: string;
  /** Whether the user wants mails about friends' pictures. */
  picture_mails: Generated<boolean>;
}

/** A request. Two users are friends if both have a row for the other. `friend_id` need not be a user's. */
export interface Friendships {
  user_id: number;
  friend_id: number;
}
