import type { ConsumeMessage } from 'amqplib';

/**
 * Creates the function that reads the key of a message.
 *
 * @param by `orderBy` of the queue: header.<name>, routingKey or correlationId.
 * @returns undefined for a message without a key, which has no order.
 */
export function keyReader(by: string): (message: ConsumeMessage) => string | undefined {
  if (by === 'routingKey') return ({ fields }) => fields.routingKey;
  if (by === 'correlationId') return ({ properties }) => textOf(properties.correlationId);
  const name = by.slice('header.'.length);
  return ({ properties: { headers } }) =>
    headers && Object.hasOwn(headers, name) ? textOf(headers[name]) : undefined;
}

/** The type is part of a key, as it is for the broker: the number 5 and the text '5' may be in different partitions. */
function textOf(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  return `${typeof value} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`;
}
