/** The rows of users, as an operator adds and lists them. */
import { type Kysely, sql, type Transaction } from 'kysely';
import { WarrenError } from 'warren/functions';
import type { Database } from '../database/schema.ts';

type Db = Kysely<Database>;

/** A user to add; missing fields of a user who exists stay as they are. */
export interface Account {
  /** Default a new one. */
  id?: number | undefined;
  name?: string | undefined;
  email?: string | undefined;
  /** A person whom an issuer knows, who becomes this user. */
  identity?: { issuer: string; subject: string } | undefined;
}

/** An account cannot be saved as it is. */
export class AccountError extends WarrenError {
  override name = 'AccountError';

  constructor(message: string) {
    super('ERR_APP_ACCOUNT', message);
  }
}

/**
 * Adds a user, or changes the one with the id. A second call changes nothing.
 *
 * @returns the id.
 * @throws AccountError for a new user without a name, or if the identity is another user's.
 */
export async function saveAccount(db: Db, account: Account): Promise<number> {
  return db.transaction().execute(async (transaction) => {
    const id = await saveUser(transaction, account);
    if (account.identity !== undefined) await link(transaction, id, account.identity);
    return id;
  });
}

async function saveUser(transaction: Transaction<Database>, { id, name, email }: Account): Promise<number> {
  const given = { ...(name !== undefined && { name }), ...(email !== undefined && { email }) };
  if (id !== undefined) {
    const known = await transaction
      .updateTable('users')
      // An update of nothing, because only then the row is returned.
      .set({ id, ...given })
      .where('id', '=', id)
      .returning('id')
      .executeTakeFirst();
    if (known) return id;
  }
  if (name === undefined) throw new AccountError('name: expected the name of the new user, got nothing');
  const made = await transaction
    .insertInto('users')
    .values({ name, email: email ?? null, ...(id !== undefined && { id }) })
    .returning('id')
    .executeTakeFirstOrThrow();
  return made.id;
}

async function link(
  transaction: Transaction<Database>,
  userId: number,
  identity: { issuer: string; subject: string },
): Promise<void> {
  await transaction
    .insertInto('user_identities')
    .values({ ...identity, user_id: userId })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const { user_id: owner } = await transaction
    .selectFrom('user_identities')
    .select('user_id')
    .where('issuer', '=', identity.issuer)
    .where('subject', '=', identity.subject)
    .executeTakeFirstOrThrow();
  if (owner !== userId)
    throw new AccountError(`subject: expected an identity of user ${userId}, got one of user ${owner}`);
}

/**
 * Users by id, with their identities.
 *
 * @param page `after`: the id to continue after; `limit`: number of users.
 */
export async function listAccounts(db: Db, { after, limit }: { after: number; limit: number }) {
  return db
    .selectFrom('users')
    .select(['users.id', 'users.name', 'users.email', 'users.picture_mails'])
    .select(
      sql<{ issuer: string; subject: string }[]>`coalesce((
        select json_agg(json_build_object('issuer', issuer, 'subject', subject) order by issuer, subject)
        from user_identities where user_id = users.id
      ), '[]')`.as('identities'),
    )
    .where('users.id', '>', after)
    .orderBy('users.id')
    .limit(limit)
    .execute();
}
