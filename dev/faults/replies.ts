import { BrokerConnection } from '../../runtime/amqp/connection.ts';

/** Keeps the replies to calls with an effect until they are counted. */
export const repliesQueue = 'faults.replies';

/** @param url address that bypasses the links. */
export async function declareReplies(url: string): Promise<void> {
  const connection = new BrokerConnection({ url, name: 'faults: replies' });
  try {
    const channel = await connection.channel();
    // A quorum queue, so that replies survive a restart of the broker.
    await channel.assertQueue(repliesQueue, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  } finally {
    await connection.close();
  }
}

/** Takes all replies. @returns the number of replies to each call, by correlation id. */
export async function takeReplies(url: string): Promise<Map<string, number>> {
  const connection = new BrokerConnection({ url, name: 'faults: replies' });
  const numbers = new Map<string, number>();
  try {
    const channel = await connection.channel();
    for (;;) {
      const message = await channel.get(repliesQueue);
      if (!message) return numbers;
      const id = String(message.properties.correlationId);
      numbers.set(id, (numbers.get(id) ?? 0) + 1);
      channel.ack(message);
    }
  } finally {
    await connection.close();
  }
}
