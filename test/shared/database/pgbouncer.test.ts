/** What managed databases put in front of PostgreSQL: a pooler that gives each transaction any connection to the server. */
import { randomUUID } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectDatabase } from '../../../shared/database/database.ts';
import { migrateToLatest } from '../../../shared/database/migrate.ts';
import type { Database } from '../../../shared/database/schema.ts';
import { type OwnDatabase, ownDatabase } from '../../support/database.ts';
import { uniqueId } from '../../support/deps.ts';
import { type PgBouncer, startPgBouncer } from '../../support/pgbouncer.ts';

describe('PgBouncer in transaction mode', () => {
  let own: OwnDatabase;
  let pooler: PgBouncer;
  let db: Kysely<Database>;

  beforeAll(async () => {
    own = await ownDatabase();
    pooler = await startPgBouncer(own.url, 2);
    db = connectDatabase({ url: pooler.url, name: 'pgbouncer test', connections: 20 });
  });
  afterAll(async () => {
    await db.destroy();
    await pooler.stop();
    await own.drop();
  });

  it('carries queries and transactions of more connections than it has itself', async () => {
    const ids = Array.from({ length: 100 }, uniqueId);
    await Promise.all(
      ids.map((id) =>
        db.transaction().execute(async (tx) => {
          await sql`select pg_advisory_xact_lock(${id % 5})`.execute(tx);
          await tx.insertInto('users').values({ id, name: 'x', email: 'x' }).execute();
          await tx
            .updateTable('users')
            .set({ name: `user ${id}` })
            .where('id', '=', id)
            .execute();
        }),
      ),
    );
    const rows = await db.selectFrom('users').select(['id', 'name']).where('id', 'in', ids).execute();
    expect(rows.map(({ id, name }) => name === `user ${id}`)).toEqual(ids.map(() => true));
  });

  it('migrations run through it, beside each other', async () => {
    await Promise.all([migrateToLatest(pooler.url), migrateToLatest(pooler.url)]);
    await expect(migrateToLatest(pooler.url)).resolves.toEqual([]);
  });

  it('a database that does not exist is not taken for one that is late', async () => {
    const url = Object.assign(new URL(pooler.url), { pathname: randomUUID() }).href;
    const none = connectDatabase({ url, name: 'none', connections: 1 });
    await expect(sql`select 1`.execute(none)).rejects.toMatchObject({
      code: 'ERR_UNAVAILABLE',
      message: expect.not.stringContaining('does not answer'),
    });
    await none.destroy();
  });
});
