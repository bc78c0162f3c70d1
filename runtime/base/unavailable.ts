import type { ErrorCode } from './error-codes.ts';
import { networkCodes } from './errors.ts';
import { isServerState } from './sql-states.ts';

/** Codes of undici, Node's client for `fetch`, for the same failures. */
const undiciCodes = new Set([
  'UND_ERR_SOCKET',
  'UND_ERR_CLOSED',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);

/**
 * Codes of nodemailer, the client of SMTP, for a server that cannot be reached, breaks off, does not speak SMTP, or refuses our
 * login or our TLS.
 */
const smtpCodes = new Set([
  'EABORT',
  'EAUTH',
  'ECONNECTION',
  'EDNS',
  'ENOAUTH',
  'EOAUTH2',
  'EPROTOCOL',
  'ESOCKET',
  'ETLS',
]);

/**
 * Codes of Prisma for a server that cannot be reached, refuses the login or a right, or closes the connection, for a
 * transaction that does not begin or end in time, and for a conflict of transactions.
 *
 * @see https://www.prisma.io/docs/orm/reference/error-reference
 */
const prismaCodes = 'P1000 P1001 P1002 P1003 P1008 P1010 P1011 P1017 P2024 P2028 P2034 P2037'.split(' ');

/** The same of a raw query, as Prisma's driver adapters name it. */
const prismaKinds: ReadonlySet<unknown> = new Set([
  'DatabaseNotReachable',
  'ConnectionClosed',
  'SocketTimeout',
  'TlsConnectionError',
]);

/** The package `pg` has no codes for these. */
const pgTexts = new Set([
  'Connection terminated',
  'Connection terminated unexpectedly',
  'Connection terminated due to connection timeout',
  'timeout expired',
  'timeout exceeded when trying to connect',
  'Query read timeout',
]);

/**
 * Names by which all services of AWS refuse a login or a right, throttle, or wait in vain for the rest of a request, with any
 * status; the SDK's own name for missing credentials is the last. S3 and services that are queried by name leave
 * out the ending "Exception".
 */
const awsNames = new Set([
  'AccessDenied',
  'ExpiredToken',
  'IncompleteSignature',
  'InvalidAccessKeyId',
  'InvalidClientTokenId',
  'InvalidSignature',
  'MissingAuthenticationToken',
  'ProvisionedThroughputExceeded',
  'RequestExpired',
  'RequestLimitExceeded',
  'RequestTimeout',
  'RequestTimeTooSkewed',
  'SignatureDoesNotMatch',
  'SlowDown',
  'Throttling',
  'TokenRefreshRequired',
  'UnrecognizedClient',
  'CredentialsProviderError',
]);

/** The codes of clients, by which they report that a server cannot be used. */
const clientCodes: ReadonlySet<string> = new Set([
  ...networkCodes,
  ...undiciCodes,
  ...smtpCodes,
  ...prismaCodes,
]);

/** The parts of an error by which clients of databases, of HTTP, of AWS and of SMTP report a server's state. */
interface Reported {
  code?: unknown;
  status?: unknown;
  statusCode?: unknown;
  response?: { status?: unknown } | null;
  responseCode?: unknown;
  /** The broker's reason for a publish that it refused. */
  replyCode?: unknown;
  $metadata?: { httpStatusCode?: unknown } | null;
  $retryable?: unknown;
  /** Of Prisma; `originalCode` is SQLSTATE. */
  meta?: { driverAdapterError?: { cause?: { originalCode?: unknown; kind?: unknown } | null } | null } | null;
}

/**
 * Whether an error means that a dependency is unavailable for now: it cannot be reached, does not answer in time, refuses our
 * login, is overloaded, shuts down, is read-only or ended a conflict of transactions. Such a message is retried for a day; any other failure only a few times.
 *
 * It reads the error itself, its causes and the errors that it sums up: UnavailableError, RetryLaterError, Node's and undici's network codes,
 * TimeoutError of `AbortSignal.timeout`, SQLSTATE, `pg`'s connection errors, HTTP status 408, 429 and 5xx as `status`,
 * `statusCode`, `response.status` or the AWS SDK's `$metadata`, the AWS SDK's `$retryable` and names of refused logins and rights,
 * Prisma's and nodemailer's codes, and SMTP replies of 4xx.
 */
export function isUnavailable(error: unknown): boolean {
  return meansUnavailable(error, new Set());
}

/** @param seen errors that were read, because causes can be a circle. */
function meansUnavailable(error: unknown, seen: Set<unknown>): boolean {
  if (!(error instanceof Error) || seen.has(error)) return false;
  seen.add(error);
  if (isOwn(error) || isReported(error)) return true;
  const errors: unknown = error instanceof AggregateError ? error.errors : [];
  const within: unknown[] = Array.isArray(errors) ? errors : [];
  return [...within, error.cause].some((each) => meansUnavailable(each, seen));
}

/** The broker's reply code for a message above its `max_message_size`: that is the message's fault. */
const messageTooLarge = 406;

const ownCodes: ReadonlySet<unknown> = new Set<ErrorCode>([
  'ERR_UNAVAILABLE',
  // A password is rotated on both sides, one after the other.
  'ERR_BROKER_REFUSED',
  'ERR_PUBLISH_REFUSED',
  'ERR_RETRY_LATER',
]);

/** By its code, because a bundle has classes of its own. */
function isOwn({ code, replyCode }: Error & Reported): boolean {
  return ownCodes.has(code) && replyCode !== messageTooLarge;
}

function isReported(error: Error & Reported): boolean {
  const { code, responseCode, $metadata, response, status, statusCode, meta } = error;
  if (error.name === 'TimeoutError' || pgTexts.has(error.message) || error.$retryable) return true;
  // Clients assign the fields of an answer to their errors, so that none of them has a certain type.
  const name: unknown = error.name;
  if (typeof name === 'string' && awsNames.has(name.replace(/Exception$/, ''))) return true;
  if (typeof code === 'string' && (clientCodes.has(code) || isServerState(code))) return true;
  const { originalCode, kind } = meta?.driverAdapterError?.cause ?? {};
  if (prismaKinds.has(kind) || (typeof originalCode === 'string' && isServerState(originalCode))) return true;
  // RFC 5321, 4.2.1: a reply of 4xx asks for another try.
  if (typeof responseCode === 'number' && responseCode >= 400 && responseCode < 500) return true;
  return [status, statusCode, response?.status, $metadata?.httpStatusCode].some(isOverload);
}

function isOverload(status: unknown): boolean {
  return typeof status === 'number' && (status === 408 || status === 429 || (status >= 500 && status < 600));
}
