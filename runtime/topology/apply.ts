import type { Channel } from 'amqplib';
import { BrokerConnection } from '../amqp/connection.ts';
import { WarrenError } from '../base/errors.ts';
import type { Topology } from './compile.ts';
import { deadLetters } from './names.ts';
import { deadLetterArguments } from './queue-arguments.ts';

/**
 * Declares a topology. It only adds: an exchange or a queue that exists with other properties stays, and the error names the
 * difference.
 *
 * @param url AMQP URL of the broker.
 * @throws WarrenError ERR_TOPOLOGY for such a difference; as `BrokerConnection.channel` if the broker is unavailable.
 */
export async function applyTopology(url: string, topology: Topology): Promise<void> {
  const connection = new BrokerConnection({ url, name: 'warren topology apply' });
  try {
    const channel = await connection.channel();
    const declare = declarer(channel);
    const version = channel.connection.serverProperties.version;
    for (const { name, type } of topology.exchanges) {
      await declare(`exchange "${name}"`, () => channel.assertExchange(name, type, { durable: true }));
    }
    for (const queue of topology.queues) {
      const args = queue.name === deadLetters ? deadLetterArguments(version) : queue.arguments;
      await declare(`queue "${queue.name}"`, () =>
        channel.assertQueue(queue.name, { durable: true, arguments: args }),
      );
    }
    for (const { queue, exchange, routingKey, arguments: args } of topology.bindings) {
      await declare(`binding of "${queue}" to "${exchange}"`, () =>
        channel.bindQueue(queue, exchange, routingKey, args),
      );
    }
  } finally {
    await connection.close();
  }
}

/** A refused declaration closes the channel, and only the channel's error has the broker's own words. */
function declarer(channel: Channel) {
  let refusal: Error | undefined;
  channel.on('error', (error: Error) => {
    refusal = error;
  });
  return async (what: string, run: () => Promise<unknown>): Promise<void> => {
    await run().catch((cause: Error) => {
      const { message } = refusal ?? cause;
      throw new WarrenError('ERR_TOPOLOGY', `${what} can't be declared: ${message}`, { cause });
    });
  };
}
