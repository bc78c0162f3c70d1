import { type Kysely, sql } from 'kysely';
import { isUnavailable } from 'warren/functions';
import { connectDatabase } from './database.ts';
import type { Database } from './schema.ts';

/**
 * Gives the functions' login at the database what they need: to read and write the rows of all tables. It can neither change tables nor
 * read other databases. A role that does not exist, or has another password, is created or gets the password of the URL.
 *
 * @param url PostgreSQL URL of the owner of the tables; of a role with CREATEROLE if the login has to be created.
 * @param functionsUrl the `DATABASE_URL` of the functions: the name and the password of the login.
 * @returns whether the login was created or got its password now.
 * @throws UnavailableError if the owner may not create roles.
 */
export async function grantFunctions(
  url: string,
  functionsUrl: string,
): Promise<'created' | 'changed' | 'kept'> {
  const [name, password] = loginOf(functionsUrl);
  const works = await logsIn(functionsUrl);
  const db = connectDatabase({ url, name: 'warren prepare', connections: 1 });
  try {
    return await db.transaction().execute(async (tx) => {
      const { rows } = await sql`select 1 from pg_roles where rolname = ${name}`.execute(tx);
      const state = rows.length === 0 ? 'created' : works ? 'kept' : 'changed';
      const role = sql.id(name);
      if (state === 'created') await sql`create role ${role} login`.execute(tx);
      if (state !== 'kept') {
        await sql`alter role ${role} password ${sql.lit(password)}`.execute(tx);
        // Behind a pooler, a connection cannot set it.
        await sql`alter role ${role} set statement_timeout = '10s'`.execute(tx);
      }
      await grantRows(tx, name);
      return state;
    });
  } finally {
    await db.destroy();
  }
}

function loginOf(url: string): [name: string, password: string] {
  const { username, password } = new URL(url);
  return [decodeURIComponent(username), decodeURIComponent(password)];
}

async function logsIn(url: string): Promise<boolean> {
  const db = connectDatabase({ url, name: 'warren prepare', connections: 1 });
  try {
    await sql`select 1`.execute(db);
    return true;
  } catch (error) {
    if (isUnavailable(error)) return false;
    throw error;
  } finally {
    await db.destroy();
  }
}

async function grantRows(db: Kysely<Database>, name: string): Promise<void> {
  const role = sql.id(name);
  const { rows } = await sql<{ name: string }>`select current_database() as name`.execute(db);
  await sql`grant connect on database ${sql.id(rows[0]?.name ?? '')} to ${role}`.execute(db);
  await sql`grant usage on schema public to ${role}`.execute(db);
  await sql`grant select, insert, update, delete on all tables in schema public to ${role}`.execute(db);
  await sql`grant usage, select on all sequences in schema public to ${role}`.execute(db);
  await sql`revoke all on table kysely_migration, kysely_migration_lock from ${role}`.execute(db);
}
