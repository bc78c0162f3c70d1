import { sql } from 'kysely';
import { describe, expect, it } from 'vitest';
import { openResources } from '../../../runtime/resources/lambda.ts';
import { database } from '../../../shared/database/resource.ts';
import { ownDatabase } from '../../support/database.ts';

describe('the database of a process', () => {
  it('pool: the functions of a process share one, with as many connections as its setting', async () => {
    const own = await ownDatabase();
    const open = async (name: string) => {
      const env = { DATABASE_URL: own.url, DATABASE_CONNECTIONS: '3', AWS_LAMBDA_FUNCTION_NAME: name };
      return (await openResources({ db: database }, env)).db;
    };
    const [one, two] = [await open('one'), await open('two')];
    const busy = Array.from({ length: 8 }, () =>
      [one, two].map((db) => sql`select pg_sleep(0.1)`.execute(db)),
    );
    await Promise.all(busy.flat());
    const { rows } = await sql<{ n: number }>`select count(*)::integer as n from pg_stat_activity
      where datname = current_database() and application_name in ('one', 'two')`.execute(own.db);
    expect(rows).toEqual([{ n: 3 }]);
    await one.destroy();
    // A pool that was closed is not handed out again.
    const next = await open('three');
    expect((await sql<{ n: number }>`select 1 as n`.execute(next)).rows).toEqual([{ n: 1 }]);
    await next.destroy();
    await own.drop();
  });

  it.each(['0', 'many', '1.5', '101'])(
    'pool: %s connections are refused when the function starts',
    async (DATABASE_CONNECTIONS) => {
      const env = { DATABASE_URL: 'postgres://127.0.0.1/x', DATABASE_CONNECTIONS };
      await expect(openResources({ db: database }, env)).rejects.toThrow(/DATABASE_CONNECTIONS: expected/);
    },
  );
});
