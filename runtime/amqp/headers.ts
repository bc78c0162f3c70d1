/**
 * The names of the headers that this package writes. They are a wire format: other programs and messages in the queues
 * depend on them.
 */

/** Prefix of all headers below but the first two. */
export const warrenPrefix = 'x-warren-';

/** Exchange of the publish; the event source adds it to AWS's event. */
export const exchangeHeader = 'x-exchange';
/** Routing key of the publish; the publisher or the event source adds it. */
export const routingKeyHeader = 'x-routing-key';

/** Exchange of the first publish, on a copy. */
export const originExchangeHeader = 'x-warren-exchange';
/** Routing key of the first publish, on a copy. */
export const originRoutingKeyHeader = 'x-warren-routing-key';
/** Queue in which the message failed. */
export const queueHeader = 'x-warren-queue';
/** Identifies a copy of a failed message, or a delayed message: one that was published again has the same value. */
export const copyHeader = 'x-warren-copy';
/** Failed deliveries so far. */
export const attemptsHeader = 'x-warren-attempts';
/** Failed deliveries so far that were not due to a dependency. */
export const faultsHeader = 'x-warren-faults';
/** Time of the first failure, in ISO 8601. */
export const firstFailedAtHeader = 'x-warren-first-failed-at';
/** Time of the last failure, in ISO 8601. */
export const lastFailedAtHeader = 'x-warren-last-failed-at';
/** Name and message of the last error. */
export const errorHeader = 'x-warren-error';
/** Reason of a dead letter: `rejected`, `exhausted` or `too-old`. */
export const reasonHeader = 'x-warren-reason';
/** Names of the headers that a copy could not carry. */
export const headersLeftHeader = 'x-warren-headers-left';
/** Expiration of the original in milliseconds. */
export const expirationHeader = 'x-warren-expiration';
/** Time at which the original expires, in ISO 8601. */
export const expiresAtHeader = 'x-warren-expires-at';
/** User id of the original. */
export const userIdHeader = 'x-warren-user-id';
/** Identifies the user on whose behalf HTTP calls a method, by the token; no other client sets it. */
export const callerHeader = 'x-warren-sub';
/** Version of the claim that a message has as its body; the body itself lies in object storage. */
export const claimHeader = 'x-warren-claim';
/** Id of the dead letter that an operator edited and replaced by this message. */
export const replacesHeader = 'x-warren-replaces';
/** In a mark of the index: the queue to which dead letters were replayed, if it is another one. */
export const endedToHeader = 'x-warren-ended-to';
/** In a mark of the index: the user who replayed or dropped them. */
export const endedByHeader = 'x-warren-ended-by';

/** Headers of this package that belong to the message and not to its failures: a replay keeps them. */
export const ownHeaders: ReadonlySet<string> = new Set([callerHeader, claimHeader, replacesHeader]);

/** Headers by which the broker would route, drop or count a copy, and the names under which a copy carries them. */
export const movedHeaders: Readonly<Record<string, string>> = {
  CC: 'x-warren-cc',
  BCC: 'x-warren-bcc',
  'x-death': 'x-warren-death',
  'x-first-death-queue': 'x-warren-first-death-queue',
  'x-first-death-reason': 'x-warren-first-death-reason',
  'x-first-death-exchange': 'x-warren-first-death-exchange',
};

/** Headers about a single delivery, which are wrong on a copy. */
const deliveryHeaders: ReadonlySet<string> = new Set([
  'x-delivery-count',
  'x-acquired-count',
  'x-last-death-queue',
  'x-last-death-reason',
  'x-last-death-exchange',
  exchangeHeader,
]);

/** Whether a header describes a single delivery and must not be copied. */
export const isDeliveryHeader = (name: string): boolean => deliveryHeaders.has(name);

/** Whether a header belongs to the path of one message through the broker, and must not be copied under its name. */
export const isBrokerHeader = (name: string): boolean =>
  isDeliveryHeader(name) || Object.hasOwn(movedHeaders, name);
