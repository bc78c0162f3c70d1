import { setTimeout as sleep } from 'node:timers/promises';
import type { ConsumeMessage } from 'amqplib';
import type { BrokerConnection } from '../../runtime/amqp/connection.ts';

/** A connection whose channels deliver and answer late, as those of a broker with too much work, each in its order. */
export function slowConnection(connection: BrokerConnection, ms = 800): BrokerConnection {
  return Object.assign(Object.create(connection) as BrokerConnection, {
    channel: async () => {
      const channel = await connection.channel();
      const [consume, cancel] = [channel.consume.bind(channel), channel.cancel.bind(channel)];
      let delivered = Promise.resolve();
      return Object.assign(channel, {
        consume: (queue: string, receive: (message: ConsumeMessage | null) => void) =>
          consume(queue, (message) => {
            const late = sleep(ms);
            delivered = delivered.then(() => late).then(() => receive(message));
          }),
        cancel: async (tag: string) => {
          const answer = await cancel(tag);
          await delivered;
          return answer;
        },
      });
    },
  });
}
