import { randomUUID } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectDatabase } from '../../../shared/database/database.ts';
import { grantFunctions } from '../../../shared/database/role.ts';
import type { Database } from '../../../shared/database/schema.ts';
import { type OwnDatabase, ownDatabase } from '../../support/database.ts';
import { uniqueId } from '../../support/deps.ts';

describe("the functions' login at the database", () => {
  const role = `functions_${randomUUID().replaceAll('-', '')}`;
  let own: OwnDatabase;
  let db: Kysely<Database>;
  const urlWith = (password: string) =>
    Object.assign(new URL(own.url), { username: role, password: encodeURIComponent(password) }).href;
  const insert = () => db.insertInto('users').values({ id: uniqueId(), name: 'x', email: 'x' }).execute();

  beforeAll(async () => {
    own = await ownDatabase();
    await expect(grantFunctions(own.url, urlWith("first:/@'pass"))).resolves.toBe('created');
    db = connectDatabase({ url: urlWith("first:/@'pass"), name: role, connections: 1 });
  });
  afterAll(async () => {
    await db.destroy();
    await sql`drop owned by ${sql.id(role)}`.execute(own.db);
    await sql`drop role ${sql.id(role)}`.execute(own.db);
    await own.drop();
  });

  it('reads and writes rows', async () => {
    await insert();
    await expect(db.selectFrom('users').select('id').execute()).resolves.not.toEqual([]);
  });

  it.each([
    ['change a table', 'alter table users add column password text'],
    ['create one', 'create table mine (id int)'],
    ['remove the notes of migrations', 'delete from kysely_migration'],
    ['run a program on the server', "copy users to program 'cat'"],
    ['become a role that reads files of the server', 'set role pg_read_server_files'],
  ])('may not %s', async (_, statement) => {
    await expect(sql.raw(statement).execute(db)).rejects.toMatchObject({ cause: { code: '42501' } });
  });

  it('has its statements canceled after ten seconds, through a pooler too', async () => {
    const { rows } = await sql<{ settings: string[] }>`
      select setconfig as settings from pg_db_role_setting s join pg_roles r on r.oid = s.setrole
      where rolname = ${role}`.execute(own.db);
    expect(rows).toEqual([{ settings: ['statement_timeout=10s'] }]);
  });

  it('is kept by a second run, and gets a new password and the rights to new tables', async () => {
    await expect(grantFunctions(own.url, urlWith("first:/@'pass"))).resolves.toBe('kept');
    await sql`create table parcels (name text)`.execute(own.db);
    await expect(grantFunctions(own.url, urlWith('second'))).resolves.toBe('changed');
    const renewed = connectDatabase({ url: urlWith('second'), name: role, connections: 1 });
    await sql`insert into parcels values ('a')`.execute(renewed);
    await renewed.destroy();
  });
});
