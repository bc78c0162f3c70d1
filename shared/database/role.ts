import { type Kysely, sql } from 'kysely';
import { isUnavailable, WarrenError } from 'warren/functions';
import { connectDatabase } from './database.ts';
import type { Database } from './schema.ts';
import { isRdsIam } from './target.ts';

/**
 * Gives the functions' login at the database what they need: to read and write the rows of all tables, and of those that later
 * migrations of the same owner create. It cannot change tables. A role that does not exist, or has another password, is created or
 * gets the password of the URL. With `auth=rds-iam` in the URL, RDS knows it by IAM, and it gets no password. Several callers at the same
 * time are fine.
 *
 * @param url PostgreSQL URL of the owner of the tables; of a role with CREATEROLE if the login has to be created.
 * @param functionsUrl the `DATABASE_URL` of the functions: the name and the password of the login.
 * @returns whether the login was created or got its password now.
 * @throws UnavailableError if the owner may not create roles; WarrenError ERR_CONFIG, before anything changes, if the login is the
 *   owner's or that of an administrator.
 */
export async function grantFunctions(
  url: string,
  functionsUrl: string,
): Promise<'created' | 'changed' | 'kept'> {
  const [name, password] = loginOf(functionsUrl);
  const isIam = isRdsIam(functionsUrl);
  // A token for it could only be made where the functions run.
  const works = isIam || (await logsIn(functionsUrl));
  const db = connectDatabase({ url, name: 'warren prepare', connections: 1 });
  try {
    return await db.transaction().execute(async (tx) => {
      // Two callers would change the same rows of the catalog, and one of them would fail.
      await sql`select pg_advisory_xact_lock(hashtext('warren prepare'))`.execute(tx);
      const { rows } = await rightsOf(tx, name);
      if (rows[0]?.is_powerful) throw new WarrenError('ERR_CONFIG', powerful(name));
      const state = rows.length === 0 ? 'created' : works ? 'kept' : 'changed';
      const role = sql.id(name);
      if (state === 'created') await sql`create role ${role} login`.execute(tx);
      if (isIam) await sql`grant rds_iam to ${role}`.execute(tx);
      else if (state !== 'kept') await sql`alter role ${role} password ${sql.lit(password)}`.execute(tx);
      if (state !== 'kept') {
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

const powerful = (name: string) =>
  `FUNCTIONS_DATABASE_URL: expected a login of its own for the functions, got "${name}", which owns the tables or is an administrator`;

/**
 * Whether a role exists, and has more rights than a login of the functions. Its password must not be replaced, nor may the owner of
 * the migrations' tables lose the right to them.
 */
const rightsOf = (db: Kysely<Database>, name: string) =>
  sql<{ is_powerful: boolean }>`
    select rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls
      or rolname = current_user
      or pg_has_role(rolname, (select relowner from pg_class where oid = 'kysely_migration'::regclass), 'member')
      as is_powerful
    from pg_roles where rolname = ${name}`.execute(db);

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
  // For tables of later migrations, because \`warren prepare\` may run them without --users.
  const later = sql`alter default privileges in schema public grant`;
  await sql`${later} select, insert, update, delete on tables to ${role}`.execute(db);
  await sql`${later} usage, select on sequences to ${role}`.execute(db);
  await sql`revoke all on table kysely_migration, kysely_migration_lock from ${role}`.execute(db);
}
