/** Users of an issuer: a row of `user_identities` leads from its name for a person to a user of ours. */
import { type Kysely, sql } from 'kysely';
import { id } from '../database/id.ts';
import type { Database } from '../database/schema.ts';
import type { Caller } from './caller.ts';
import { type Identity, identityOf } from './identity.ts';
import type { Authenticate, User } from './tokens.ts';

type Db = Kysely<Database>;

/**
 * Adds the user to the caller of a token: the id in our own tokens, or the user of the identity, who is made with the first valid
 * token.
 *
 * @param authenticate checks the token first, so that a refused one makes no user.
 */
export function authenticateUsers(authenticate: Authenticate<Caller>, db: Db): Authenticate<User> {
  return async (authorization, scope) => {
    const caller = await authenticate(authorization, scope);
    const { identity, key } = caller;
    return { ...caller, id: identity === undefined ? Number(key) : await userOf(db, identity) };
  };
}

/**
 * The id of the user whom a caller's key identifies.
 *
 * @param key of `Caller`, or anything else that came as one.
 * @returns undefined if it is no key, or of an identity that has no user.
 */
export async function findCaller(db: Db, key: unknown): Promise<number | undefined> {
  const identity = typeof key === 'string' ? identityOf(key) : undefined;
  return identity === undefined ? id.safeParse(key).data : findUser(db, identity);
}

async function findUser(
  db: Db,
  { issuer, subject }: Pick<Identity, 'issuer' | 'subject'>,
): Promise<number | undefined> {
  const row = await db
    .selectFrom('user_identities')
    .select('user_id')
    .where('issuer', '=', issuer)
    .where('subject', '=', subject)
    .executeTakeFirst();
  return row?.user_id;
}

async function userOf(db: Db, identity: Identity): Promise<number> {
  const known = (await findUser(db, identity)) ?? (await makeUser(db, identity));
  // Another request has made the user at the same moment.
  const made = known ?? (await findUser(db, identity));
  if (made === undefined) throw new Error('expected the user of an identity, got none');
  return made;
}

/**
 * Makes an identity and its user in one statement. Of simultaneous ones for the same identity, one makes the user, and the others
 * wait for it and return undefined.
 */
async function makeUser(db: Db, { issuer, subject, name, email }: Identity): Promise<number | undefined> {
  const { rows } = await sql<{ id: number }>`
    with made as (
      insert into user_identities (issuer, subject, user_id)
      values (${issuer}, ${subject}, nextval('user_ids'))
      on conflict do nothing
      returning user_id
    )
    insert into users (id, name, email)
    select user_id, coalesce(${name}::text, 'User ' || user_id), ${email}::text from made
    returning id`.execute(db);
  return rows[0]?.id;
}
