import { WarrenError } from '../base/errors.ts';
import { isClaim } from '../claims/open.ts';
import { copyMark } from './copy-mark.ts';
import {
  claimHeader,
  expiresAtHeader,
  isBrokerHeader,
  ownHeaders,
  replacesHeader,
  routingKeyHeader,
  warrenPrefix,
} from './headers.ts';
import type { OutgoingMessage } from './outgoing.ts';

/**
 * The message without headers about the way of another one: a function that forwards the headers of a message would otherwise send a
 * new message with the attempts, the age, the end, the origin or the claim of that one. A copy keeps them.
 *
 * @throws WarrenError ERR_CONFIG if `expiresAt` is no time.
 */
export function withoutWay<Message extends OutgoingMessage>(message: Message): Message {
  const { headers: given, table, body } = message;
  if (table || message[copyMark]) return message;
  const headers = given && contentHeaders(given, body);
  const end = endTime(message);
  if (end === undefined) return headers === given ? message : { ...message, headers };
  return { ...message, expiresAt: undefined, headers: { ...headers, [expiresAtHeader]: end } };
}

/**
 * `expiresAt` of a message in ISO 8601; undefined if it has none.
 *
 * @throws WarrenError ERR_CONFIG if it is no time.
 */
export function endTime({ expiresAt }: Pick<OutgoingMessage, 'expiresAt'>): string | undefined {
  // A program in JavaScript may pass what its database has, and null would be 1970.
  if (expiresAt === undefined || expiresAt === null) return undefined;
  const time = new Date(expiresAt);
  if (!Number.isNaN(time.getTime())) return time.toISOString();
  throw new WarrenError('ERR_CONFIG', `expiresAt: expected a time, got ${JSON.stringify(expiresAt)}`);
}

/** The headers that do not concern the way of a message to its receiver: those of its content, and CC and BCC of its sender. */
export function contentHeaders(
  headers: Readonly<Record<string, unknown>>,
  body: unknown,
): Record<string, unknown> {
  const isStale = (name: string) => isOfWay(name) || (name === claimHeader && !isClaim(body));
  const names = Object.keys(headers);
  if (!names.some(isStale)) return headers;
  return Object.fromEntries(names.filter((name) => !isStale(name)).map((name) => [name, headers[name]]));
}

/** Headers by which a function addresses a message itself. */
const addressing: ReadonlySet<string> = new Set(['CC', 'BCC']);

function isOfWay(name: string): boolean {
  // The replacement of a dead letter is the message of the operator, and no further one.
  if (name === routingKeyHeader || name === replacesHeader) return true;
  return name.startsWith(warrenPrefix)
    ? !ownHeaders.has(name)
    : isBrokerHeader(name) && !addressing.has(name);
}
