import type { Generated } from 'kysely';

export interface Users {
  id: Generated<number>;
  name: string;
  /** Null if the user has none, and gets no mails. */
  email: string | null;
  /** Whether the user wants mails about friends' pictures. */
  picture_mails: Generated<boolean>;
}

/** The user whom a token's issuer knows as `subject`; see `shared/auth/identities.ts`. */
export interface UserIdentities {
  issuer: string;
  subject: string;
  user_id: number;
  created_at: Generated<Date>;
}

/** A request. Two users are friends if both have a row for the other. `friend_id` need not be a user's. */
export interface Friendships {
  user_id: number;
  friend_id: number;
}
