import { Kysely, PostgresDialect, type PostgresPoolClient } from 'kysely';
import pg from 'pg';
import { parseJson, UnavailableError } from 'warren/functions';
import type { Database } from './schema.ts';

export interface DatabaseOptions {
  /** PostgreSQL URL. */
  url: string;
  /** Shown in pg_stat_activity: the name of the function. */
  name: string;
  /** Maximum number of connections, default 5. */
  connections?: number;
}

const int8 = 20;
const json = 114;

/** Stored values were checked when they came, and are nested a little deeper than what came. */
const parseStored = (text: string) =>
  parseJson(text, { maxNested: 1000, maxValues: Number.POSITIVE_INFINITY });

/**
 * The database, connected at the first query. If it cannot be reached, is full, or shuts down, queries throw UnavailableError;
 * an error about a query itself is thrown as it is.
 */
export function connectDatabase({ url, name, connections = 5 }: DatabaseOptions): Kysely<Database> {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: name,
    max: connections,
    connectionTimeoutMillis: 4000,
    idleTimeoutMillis: 30_000,
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
  return new Kysely<Database>({
    dialect: new PostgresDialect({
      pool: { connect: async () => reporting(await pool.connect().catch(fail)), end: () => pool.end() },
    }),
  });
}

/** Ids are at most 2^53-1, so that a number can hold them. */
const getTypeParser: typeof pg.types.getTypeParser = (oid: number, format?: unknown) => {
  if (oid === int8) return Number;
  // A number in JSON keeps its digits.
  return oid === json ? parseStored : pg.types.getTypeParser(oid, format as 'text');
};

function reporting(client: pg.PoolClient): PostgresPoolClient {
  let broken = false;
  const query = async (text: string, values: unknown[]) => {
    try {
      return await client.query(text, values);
    } catch (error) {
      broken ||= isUnavailable(error);
      return fail(error);
    }
  };
  // Kysely's other form is for streaming, which needs a package we don't have.
  return { query: query as unknown as PostgresPoolClient['query'], release: () => client.release(broken) };
}

/**
 * Classes of SQLSTATE (PostgreSQL, appendix A) that are about the server and not the query: connection, authorization,
 * catalog name, resources, operator intervention, system.
 */
const unavailableClasses = new Set(['08', '28', '3D', '53', '57', '58']);
const queryCanceled = '57014';

function fail(cause: unknown): never {
  if (isUnavailable(cause)) throw new UnavailableError('database', 'the database does not answer', { cause });
  throw cause;
}

function isUnavailable(error: unknown): boolean {
  // An error that is not from the server is from the connection, except for mistakes in this program.
  if (!(error instanceof pg.DatabaseError)) return !(error instanceof TypeError);
  const { code = '' } = error;
  return code !== queryCanceled && unavailableClasses.has(code.slice(0, 2));
}
