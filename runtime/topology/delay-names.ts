/**
 * Names of the ladder on which delayed messages wait. They are a wire format: messages that wait have the headers, and publishers of
 * other versions use the exchanges.
 */

/** Milliseconds of the lowest level. Each level waits for twice as long as the one below it. */
export const delayUnitMs = 250;
/** Number of levels. */
export const delayLevels = 28;
/** The longest delay in milliseconds, in which a message waits on every level; it is 776 days. */
export const maxDelayMs = (2 ** delayLevels - 1) * delayUnitMs;

const numbered = (level: number): string => String(level).padStart(2, '0');

/** Name of the queue of a level, 0 for the lowest. */
export const delayLevel = (level: number): string => `warren.delay.${numbered(level)}`;
/** Name of the exchange of a level. Not that of the queue: a right covers both, and a login that counts has one to the queue. */
export const delayLevelExchange = (level: number): string => `warren.delay.level.${numbered(level)}`;
/** Header of a message that waits on a level. */
export const delayLevelHeader = (level: number): string => `x-warren-delay-${numbered(level)}`;
/** Header with the address of the destination. */
export const delayToHeader = 'x-warren-delay-to';
/** Header with the time at which a message is due, in ISO 8601. */
export const dueAtHeader = 'x-warren-due-at';
/** Whether a header is one of these. */
export const isDelayHeader = (name: string): boolean =>
  name === dueAtHeader || name === delayToHeader || /^x-warren-delay-\d\d$/.test(name);

/** The exchange below the lowest level, which takes messages that are due to the queue of their destination. */
export const dueExchange = 'warren.due';

/**
 * Address of a destination: an exchange, or a queue.
 *
 * @param exchange '' for the queue that the routing key names.
 */
export const delayAddress = (exchange: string, routingKey: string): string =>
  exchange === '' ? `queue.${routingKey}` : `exchange.${exchange}`;

/** Name of the exchange to which delayed messages for an address are published. A right to it is a right to the address only. */
export const delayEntry = (address: string): string => `warren.delay.${address}`;

/** Name of the queue that hands due messages over to an address. */
export const dueQueue = (address: string): string => `warren.due.${address}`;

/** The destination of such a queue; undefined for any other. */
export function dueQueueOf(name: string): { kind: 'exchange' | 'queue'; name: string } | undefined {
  const [, kind, destination] = /^warren\.due\.(exchange|queue)\.(.+)$/s.exec(name) ?? [];
  if (destination === undefined) return undefined;
  return { kind: kind === 'queue' ? 'queue' : 'exchange', name: destination };
}

/** Name of the exchange that stands for an exchange there. */
export const dueStandIn = (exchange: string): string => `warren.due.for.${exchange}`;

/** Whether a name is that of a queue of the ladder. */
export const isDelayQueue = (name: string | undefined): boolean =>
  name !== undefined && /^warren\.(delay\.\d\d$|due\.)/.test(name);
