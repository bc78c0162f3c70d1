/** What the errors of PostgreSQL mean. */
import pg from 'pg';
import { isUnavailable, UnavailableError, WarrenError } from 'warren/functions';

/** What the database does, by the class of its SQLSTATE (PostgreSQL, appendix A) or by the whole of it. */
const states: Readonly<Record<string, string>> = {
  '08P01': 'does not accept our connection',
  '25006': 'is read-only',
  '25P03': 'ended a transaction that waited',
  '25P04': 'ended a transaction that took too long',
  '42501': 'refuses the login of DATABASE_URL a right',
  '53100': 'has no space on its disk',
  '53300': 'has no connection left',
  '57014': 'did not end the query in time',
  '08': 'lost the connection',
  '28': 'refuses the login of DATABASE_URL',
  '3D': 'has no database of the name in DATABASE_URL',
  '40': 'ended a conflict of transactions',
  '53': 'lacks resources',
  '55': 'did not get a lock',
  '57': 'shuts down, or starts',
  '58': 'has an error of its system',
  XX: 'has damaged data',
};

/** PostgreSQL's class of errors "Invalid Authorization Specification". */
const loginRefused = '28';

export const isLoginRefused = (error: unknown): boolean =>
  error instanceof pg.DatabaseError && error.code?.slice(0, 2) === loginRefused;

/** A pooler's answer to a parameter that it does not pass on: "protocol violation". */
export const isParameterRefused = (error: unknown): boolean =>
  error instanceof pg.DatabaseError && error.code === '08P01';

/** Throws what the error of a query means: UnavailableError if it is about the server, else the error itself. */
export function fail(cause: unknown): never {
  if (!isServerFailure(cause)) throw cause;
  const { code = '' } = cause as { code?: string };
  const state = states[code] ?? states[code.slice(0, 2)] ?? 'does not answer';
  throw new UnavailableError('database', `the database ${state}`, { cause });
}

/** What a server or a pooler answers before the first query is never about a query, such as XX000 of a hosted database that is paused. */
export function failToConnect(cause: unknown): never {
  // A setting is wrong, before anything was sent.
  if (cause instanceof WarrenError) throw cause;
  if (isServerFailure(cause) || !(cause instanceof pg.DatabaseError)) return fail(cause);
  const reason = `the database does not accept our connection (${cause.code}): check DATABASE_URL`;
  throw new UnavailableError('database', reason, { cause });
}

/** An error that is not from the server is from the connection, except for mistakes in this program. */
function isServerFailure(error: unknown): boolean {
  return error instanceof pg.DatabaseError ? isUnavailable(error) : !(error instanceof TypeError);
}

/** Classes of SQLSTATE for a server that is unavailable although the connection to it is good: conflicts, rights, resources, locks. */
const goodConnection = new Set(['40', '42', '53', '55']);
/** The query took too long, or was canceled by an operator. */
const queryCanceled = '57014';

/** Whether an error proves that its connection, and those before it, are of no more use. */
export function provesBad(error: unknown): boolean {
  if (!isServerFailure(error)) return false;
  const { code = '' } = error as { code?: string };
  return code !== queryCanceled && !goodConnection.has(code.slice(0, 2));
}
