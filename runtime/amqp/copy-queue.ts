import type { Channel } from 'amqplib';
import { UnavailableError } from '../base/errors.ts';

/** A binding of a queue to an exchange. */
export interface CopyBinding {
  exchange: string;
  routingKey: string;
  /** Only for an exchange of type `headers`. */
  arguments?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * Declares a queue that gets a copy of each message that these bindings match. It ends with its connection or its consumer.
 *
 * @returns its name.
 * @throws UnavailableError if an exchange does not exist.
 */
export async function copyQueue(channel: Channel, bindings: readonly CopyBinding[]): Promise<string> {
  for (const exchange of new Set(bindings.map((each) => each.exchange))) {
    await channel.checkExchange(exchange).catch((cause: unknown) => {
      throw new UnavailableError('broker', `there is no exchange "${exchange}"`, { cause });
    });
  }
  const { queue } = await channel.assertQueue('', { exclusive: true, autoDelete: true, durable: false });
  for (const { exchange, routingKey, arguments: args } of bindings) {
    await channel.bindQueue(queue, exchange, routingKey, args);
  }
  return queue;
}
