import { Kysely, PostgresDialect, type PostgresPoolClient } from 'kysely';
import pg from 'pg';
import { UnavailableError } from 'warren/functions';
import type { Database } from './schema.ts';

export interface DatabaseOptions {
  /** PostgreSQL URL. */
  url: string;
  /** Shown in pg_stat_activity: the name of the function. */
  name: string;
  /** Most connections at a time, default 5. */
  connections?: number;
}

const int8 = 20;

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
    // On this side too: a frozen function finds its connection dead.
    query_timeout: 11_000,
    keepAlive: true,
    allowExitOnIdle: true,
    types: { getTypeParser },
  });
  // An idle connection that dies is replaced at the next query, which is early enough.
  pool.on('error', () => undefined);
  // A connection that dies in use has reported it to its query; its event without a listener would end the process.
  pool.on('connect', (client) => void client.on('error', () => undefined));
  return new Kysely<Database>({
    dialect: new PostgresDialect({
      pool: { connect: async () => reporting(await pool.connect().catch(fail)), end: () => pool.end() },
    }),
  });
}

/** Ids are at most 2^53-1, so that they fit a number. */
const getTypeParser: typeof pg.types.getTypeParser = (oid: number, format?: unknown) =>
  oid === int8 ? Number : pg.types.getTypeParser(oid, format as 'text');

function reporting(client: pg.PoolClient): PostgresPoolClient {
  let broken = false;
  const query = async (text: string, values: unknown[]) => {
    try {
      return await client.query(text, values);
    } catch (error) {
      broken ||= isAway(error);
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
const awayClasses = new Set(['08', '28', '3D', '53', '57', '58']);
const queryCanceled = '57014';

function fail(cause: unknown): never {
  if (isAway(cause)) throw new UnavailableError('database', 'the database does not answer', { cause });
  throw cause;
}

function isAway(error: unknown): boolean {
  // An error that is not from the server is from the connection, except for mistakes in this program.
  if (!(error instanceof pg.DatabaseError)) return !(error instanceof TypeError);
  const { code = '' } = error;
  return code !== queryCanceled && awayClasses.has(code.slice(0, 2));
}
