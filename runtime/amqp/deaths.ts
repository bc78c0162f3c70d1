/** An entry of RabbitMQ's `x-death`: the queue that a message left, and why. */
export interface Death {
  queue?: string | undefined;
  reason?: string | undefined;
  routingKey?: string | undefined;
  exchange?: string | undefined;
  /** Milliseconds after which the message would have expired, as its publisher set it. */
  expiration?: string | undefined;
  /** In ISO 8601, without a part of a second. */
  diedAt?: string | undefined;
}

/**
 * Reads the header `x-death`, which another program may have written in any form.
 *
 * @returns the deaths, the latest first; undefined if it is no list.
 */
export function deathsIn(header: unknown): Death[] | undefined {
  return Array.isArray(header) ? header.map(deathOf) : undefined;
}

function deathOf(entry: unknown): Death {
  const fields = { ...(entry as object) } as Record<string, unknown>;
  const text = (value: unknown) => (typeof value === 'string' ? value : undefined);
  const { queue, reason, exchange, time, 'routing-keys': keys } = fields;
  // amqplib's form of a timestamp, in seconds.
  const seconds = (time as { value?: unknown } | null | undefined)?.value;
  const at = new Date(typeof seconds === 'number' ? seconds * 1000 : Number.NaN);
  return {
    queue: text(queue),
    reason: text(reason),
    exchange: text(exchange),
    routingKey: text(Array.isArray(keys) ? keys[0] : undefined),
    expiration: text(fields['original-expiration']),
    diedAt: Number.isNaN(at.getTime()) ? undefined : at.toISOString(),
  };
}
