import { UnavailableError } from '../base/errors.ts';
import { type ConnectionEvents, ignore, type PoolEvents, surviveEnd, surviveIdleEnd } from './pool-events.ts';

/** A row of a result by its columns. */
export type Row = Readonly<Record<string, unknown>>;

/**
 * Runs one statement as a tag of a template: each value becomes a parameter. Values are texts and numbers only, because the query
 * builders differ in how they send others.
 */
export type Statement = (
  fragments: TemplateStringsArray,
  ...values: readonly (string | number)[]
) => Promise<readonly Row[]>;

/**
 * The user's PostgreSQL database, by whatever client they have.
 *
 * @see pgDatabase, kyselyDatabase, drizzleDatabase and prismaDatabase.
 */
export interface EffectsDatabase<Tx> {
  /** Runs one statement outside of any transaction. */
  run: Statement;
  /** Runs work in a transaction, which commits when the work resolves and is rolled back when it rejects. */
  transaction<Result>(work: (tx: Tx, run: Statement) => Promise<Result>): Promise<Result>;
}

interface Queryable {
  query(text: string, values: unknown[]): Promise<{ rows: Row[]; command?: string }>;
}

/** The parts of a client of the package `pg` that this module needs. */
export interface PgClient extends Queryable {
  release(destroy?: boolean): void;
  on?(event: 'error', listener: () => void): unknown;
  off?(event: 'error', listener: () => void): unknown;
}

/** The parts of a pool of the package `pg`. */
export interface PgPool<Client extends PgClient> extends Queryable, PoolEvents {
  connect(): Promise<Client>;
}

/**
 * For the package `pg`. The transaction is a client of the pool. A pool without a listener for errors gets one, because the end of an
 * idle connection would end the process; the pool opens another connection.
 */
export function pgDatabase<Client extends PgClient>(pool: PgPool<Client>): EffectsDatabase<Client> {
  surviveIdleEnd(pool);
  return {
    run: onPg(pool),
    transaction: async (work) => {
      const client = await pool.connect().catch(failToConnect);
      // The pool does not listen meanwhile, and the end of the connection would end the process. The next query reports it.
      client.on?.('error', ignore);
      try {
        await client.query('begin', []);
        const result = await work(client, onPg(client));
        const { command } = await client.query('commit', []);
        if (command === 'ROLLBACK') throw abortedError();
        client.release();
        return result;
      } catch (error) {
        await client.query('rollback', []).then(
          () => client.release(),
          () => client.release(true),
        );
        throw error;
      } finally {
        client.off?.('error', ignore);
      }
    },
  };
}

/** What a server or a pooler answers to a connection, with any SQLSTATE, is not about the message that needed it. */
function failToConnect(cause: Error & { code?: unknown }): never {
  if (typeof cause.code !== 'string' || !/^[0-9A-Z]{5}$/.test(cause.code)) throw cause;
  throw new UnavailableError('database', `the database does not accept our connection (${cause.code})`, {
    cause,
  });
}

/** PostgreSQL answers the commit of a transaction in which a statement has failed with a rollback, and not with an error. */
const abortedError = (): Error =>
  Object.assign(new Error('current transaction is aborted: a statement in it has failed'), { code: '25P02' });

/** Commits only what the database would commit: in a transaction in which a statement has failed, another one fails (25P02). */
async function checked<Result>(run: Statement, work: Promise<Result>): Promise<Result> {
  const result = await work;
  await run`select 1 as one`;
  return result;
}

const onPg =
  (target: Queryable): Statement =>
  async (fragments, ...values) => {
    const text = fragments.reduce((before, fragment, index) => `${before}$${index}${fragment}`);
    return (await target.query(text, [...values])).rows;
  };

/** Kysely's tag `sql`. */
type KyselySql<Executor> = (
  fragments: TemplateStringsArray,
  ...values: unknown[]
) => { execute(executor: Executor): Promise<{ rows: unknown[] }> };

/** The parts of a `Kysely` that this module needs. */
export interface KyselyLike<Tx> {
  transaction(): { execute<Result>(work: (tx: Tx) => Promise<Result>): Promise<Result> };
}

/**
 * For the package `kysely`. The transaction is Kysely's `Transaction`. A Kysely does not show its pool: give it listeners, or the end
 * of a connection ends the process.
 *
 * @param sql the tag `sql` of `kysely`.
 */
export function kyselyDatabase<Tx extends Executor, Executor>(
  db: KyselyLike<Tx> & NoInfer<Executor>,
  sql: KyselySql<Executor>,
): EffectsDatabase<Tx> {
  const on =
    (executor: Executor): Statement =>
    async (fragments, ...values) =>
      (await sql(fragments, ...values).execute(executor)).rows as Row[];
  return {
    run: on(db),
    transaction: (work) => db.transaction().execute((tx) => checked(on(tx), work(tx, on(tx)))),
  };
}

/** The parts of a Drizzle database on the package `pg`, and of its transaction. */
export interface DrizzleLike<Query> {
  execute(query: Query): PromiseLike<{ rows: unknown[] }>;
}

/**
 * For the package `drizzle-orm` with its driver `node-postgres`. The transaction is Drizzle's. Its pool gets listeners, as that of
 * `pgDatabase`.
 *
 * @param sql the tag `sql` of `drizzle-orm`.
 */
export function drizzleDatabase<Query, Tx extends DrizzleLike<Query>>(
  db: DrizzleLike<Query> & {
    $client?: ConnectionEvents;
    transaction<Result>(work: (tx: Tx) => Promise<Result>): Promise<Result>;
  },
  sql: (fragments: TemplateStringsArray, ...values: unknown[]) => Query,
): EffectsDatabase<Tx> {
  if (db.$client) surviveEnd(db.$client);
  const on =
    (executor: DrizzleLike<Query>): Statement =>
    async (fragments, ...values) =>
      (await executor.execute(sql(fragments, ...values))).rows as Row[];
  return {
    run: on(db),
    transaction: (work) => db.transaction((tx) => checked(on(tx), work(tx, on(tx)))),
  };
}

/** The parts of a Prisma client, and of its transaction. */
export interface PrismaLike {
  $queryRaw(fragments: TemplateStringsArray, ...values: unknown[]): PromiseLike<unknown>;
}

/** For the package `@prisma/client` on PostgreSQL. The transaction is Prisma's interactive one. */
export function prismaDatabase<Tx extends PrismaLike>(
  prisma: PrismaLike & { $transaction<Result>(work: (tx: Tx) => Promise<Result>): Promise<Result> },
): EffectsDatabase<Tx> {
  const on =
    (executor: PrismaLike): Statement =>
    async (fragments, ...values) =>
      (await executor.$queryRaw(fragments, ...values)) as Row[];
  return {
    run: on(prisma),
    transaction: (work) => prisma.$transaction((tx) => checked(on(tx), work(tx, on(tx)))),
  };
}
