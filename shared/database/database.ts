import { Kysely, type PostgresPoolClient } from 'kysely';
import pg from 'pg';
import { parseJson } from 'warren/functions';
import { TransactionalDialect } from './dialect.ts';
import { fail, failToConnect, isLoginRefused, isParameterRefused, provesBad } from './failures.ts';
import type { Database } from './schema.ts';
import { targetOf } from './target.ts';

export interface DatabaseOptions {
  /** PostgreSQL URL. */
  url: string;
  /** Reads the URL again after the database refused the login; default it never changes. */
  renewUrl?: () => Promise<string>;
  /** Shown in pg_stat_activity: the name of the function that connected first. */
  name: string;
  /** Maximum number of connections, default 5. */
  connections?: number;
  /** Called when the pool is closed. */
  onEnd?: () => void;
}

const int8 = 20;
const json = 114;

/** Stored values were checked when they came, and are nested a little deeper than what came. */
const parseStored = (text: string) =>
  parseJson(text, { maxNested: 1000, maxValues: Number.POSITIVE_INFINITY, exact: true });

/**
 * The database, connected at the first query. If it cannot be reached, refuses our login or a right, is full, slow or read-only,
 * shuts down, or ends a conflict of transactions, queries throw UnavailableError; an error about a query itself is thrown as it is. A connection
 * that proved bad is not used again, nor are those that were opened before: they lead to the same server. PostgreSQL's texts have
 * no NUL, so that U+FFFD takes its place in parameters.
 */
export function connectDatabase(options: DatabaseOptions): Kysely<Database> {
  const { url, renewUrl = async () => url, name, connections = 5, onEnd } = options;
  const pool = new pg.Pool({
    ...targetOf(url),
    application_name: name,
    max: connections,
    connectionTimeoutMillis: 4000,
    idleTimeoutMillis: 30_000,
    // Poolers such as PgBouncer refuse it (see `open`).
    statement_timeout: 10_000,
    // A limit on this side too, because a frozen function may find its connection dead.
    query_timeout: 11_000,
    keepAlive: true,
    allowExitOnIdle: true,
    types: { getTypeParser },
  });
  // The next query replaces an idle connection that died.
  pool.on('error', () => undefined);
  // A connection that dies in use has reported it to its query; its event without a listener would end the process.
  pool.on('connect', (client) => void client.on('error', () => undefined));
  const end = () => {
    onEnd?.();
    return pool.end();
  };
  return new Kysely<Database>({
    dialect: new TransactionalDialect({ pool: { connect: connectsTo(pool, url, renewUrl), end } }),
  });
}

/** Ids are at most 2^53-1, so that a number can hold them. */
const getTypeParser: typeof pg.types.getTypeParser = (oid: number, format?: unknown) => {
  if (oid === int8) return Number;
  // A number in JSON keeps its digits.
  return oid === json ? parseStored : pg.types.getTypeParser(oid, format as 'text');
};

/** Takes connections from a pool, and leaves out those that are older than the last connection that proved bad. */
function connectsTo(
  pool: pg.Pool,
  url: string,
  renewUrl: () => Promise<string>,
): () => Promise<PostgresPoolClient> {
  let current = url;
  let generation = 0;
  const generations = new WeakMap<pg.PoolClient, number>();
  pool.on('connect', (client) => void generations.set(client, generation));
  const isOld = (client: pg.PoolClient) => (generations.get(client) ?? 0) < generation;
  const open = async (): Promise<pg.PoolClient> => {
    const { statement_timeout: limit } = pool.options;
    const refused = current;
    try {
      return await pool.connect();
    } catch (error) {
      if (isParameterRefused(error) && limit !== undefined) {
        // The pool gives its options to each new connection. Behind a pooler, the role has the limit (docs/deploy-containers.md).
        delete pool.options.statement_timeout;
        return pool.connect();
      }
      if (!isLoginRefused(error)) throw error;
      const renewed = await renewUrl();
      if (renewed === refused) throw error;
      current = renewed;
      Object.assign(pool.options, targetOf(renewed));
      return pool.connect();
    }
  };
  const connect = async (): Promise<pg.PoolClient> => {
    const client = await open().catch(failToConnect);
    if (!isOld(client)) return client;
    client.release(true);
    return connect();
  };
  return async () => {
    const client = await connect();
    const query = async (text: string, values: readonly unknown[] = []) => {
      try {
        return await client.query(text, values.map(storable));
      } catch (error) {
        if (provesBad(error) && !isOld(client)) generation += 1;
        return fail(error);
      }
    };
    // Kysely's other form is for streaming, which needs a package we don't have.
    return {
      query: query as unknown as PostgresPoolClient['query'],
      release: () => client.release(isOld(client)),
    };
  };
}

/**
 * A parameter without U+0000, which PostgreSQL refuses in every text (22021), in texts and in arrays of them. A lone surrogate, which
 * stands for a byte of an id that is not UTF-8, becomes its number, so that two such ids stay different.
 */
function storable(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll('\0', '\ufffd').replace(/\p{Cs}/gu, numberOf);
  return Array.isArray(value) ? value.map(storable) : value;
}

const numberOf = (surrogate: string): string => `\\u${surrogate.charCodeAt(0).toString(16)}`;
