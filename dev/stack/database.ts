import pg from 'pg';
import { isNetworkError } from '../../runtime/base/errors.ts';
import { type PostgresOptions, startPostgres } from '../../runtime/local/parts/postgres.ts';
import { StackError } from '../../runtime/local/stack-error.ts';
import { waitUntil } from '../../runtime/local/wait.ts';
import type { Part, StackContext } from './context.ts';

/**
 * Starts the database: uses the user's own if DATABASE_URL is set, otherwise a private PostgreSQL in the data folder.
 *
 * @throws StackError if the user's database is unavailable or refuses the login, or if ours cannot be started.
 */
export async function startDatabase(context: StackContext): Promise<Part> {
  const { ports, secrets } = context;
  const url = context.given['DATABASE_URL'];
  if (!url) return startOwn({ ...context, port: ports.database, password: secrets.database });
  context.report('database', 'using the database of DATABASE_URL');
  await checkGiven(url);
  return { env: { DATABASE_URL: url }, address: new URL(url).host, stop: async () => undefined };
}

/** Starts PostgreSQL. Its first connection on a busy machine takes longer than what fills the database may wait. */
async function startOwn(options: PostgresOptions): Promise<Part> {
  const part = await startPostgres(options);
  const connects = async () => {
    await connect(part.env.DATABASE_URL);
    return true;
  };
  await waitUntil('PostgreSQL', connects, { signal: options.signal, hint: `see ${options.dataDir}/logs` });
  return part;
}

async function checkGiven(url: string): Promise<void> {
  try {
    await connect(url);
  } catch (cause) {
    if (isNetworkError(cause)) throw new StackError("DATABASE_URL: the database can't be reached", { cause });
    // What PostgreSQL itself answers names user or database, never the password.
    if (cause instanceof pg.DatabaseError) throw new StackError(`DATABASE_URL: ${cause.message}`, { cause });
    throw cause;
  }
}

async function connect(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 4000 });
  // A connection cut by the server's end; what is under way fails by itself.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('select 1');
  } finally {
    await client.end();
  }
}
