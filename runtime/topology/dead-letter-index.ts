import { parseAddresses } from '../amqp/address.ts';
import { BrokerConnection } from '../amqp/connection.ts';
import { UnavailableError } from '../base/errors.ts';
import { deadExchange, deadLetterLog, deadLetterMarks, deadLetterNews } from './names.ts';
import { argumentsAt } from './queue-arguments.ts';

/**
 * Arguments of the two streams. A stream removes whole segments, so a segment is small against its limit. Marks stay longer than
 * entries, because an entry without its mark would be listed again.
 */
const streams: Readonly<Record<string, Record<string, unknown>>> = {
  [deadLetterLog]: {
    'x-queue-type': 'stream',
    'x-max-length-bytes': 1_000_000_000,
    'x-max-age': '30D',
    'x-stream-max-segment-size-bytes': 50_000_000,
  },
  [deadLetterMarks]: {
    'x-queue-type': 'stream',
    'x-max-length-bytes': 100_000_000,
    'x-max-age': '60D',
    'x-stream-max-segment-size-bytes': 10_000_000,
  },
};

/**
 * Limits of the queue of copies that are not in the index yet. Only commands empty it, and nothing may refuse a dead letter, so
 * the oldest copies are dropped; `reindex` adds their dead letters.
 */
const newsLimits = { 'x-max-length': 500_000, 'x-max-length-bytes': 1_000_000_000 };

/** Hosts of Amazon MQ. Its documentation (November 2026) excludes streams, and does not state that it refuses their declaration. */
const amazonMq = /\.mq\.[a-z\d-]+\.(amazonaws\.com(\.cn)?|on\.aws)$/;

/** Result of declaring the index of the dead letters. */
export interface DeclaredIndex {
  /** The broker's reason if it refuses the index. The dead letters are then read from their queue. */
  refusal?: string;
  /** Whether the index has no entry yet, as after an upgrade; older dead letters are not in it then. */
  isEmpty: boolean;
}

/**
 * Declares the index of the dead letters: a queue that gets a copy of each, a stream to which `IndexFilling` moves the copies, and
 * a stream of marks for those that are gone. A broker without streams, such as Amazon MQ, has none, and the dead letters are then
 * read from their queue.
 *
 * @param url AMQP URL of the broker.
 * @throws as `BrokerConnection.channel` if the broker is unavailable.
 */
export async function declareDeadLetterIndex(url: string): Promise<DeclaredIndex> {
  if (parseAddresses(url).some(({ host }) => amazonMq.test(host))) {
    return { refusal: 'Amazon MQ does not support streams', isEmpty: false };
  }
  // Its own connection: for a queue type that it does not know, a broker may close the whole connection.
  const connection = new BrokerConnection({ url, name: 'warren topology apply' });
  try {
    const channel = await connection.channel();
    let refusal: Error | undefined;
    channel.on('error', (error: Error) => {
      refusal = error;
    });
    try {
      let isEmpty = true;
      for (const [name, args] of Object.entries(streams)) {
        const { messageCount } = await channel.assertQueue(name, { durable: true, arguments: args });
        if (messageCount > 0) isEmpty = false;
      }
      const { version } = channel.connection.serverProperties;
      const args = { 'x-queue-type': 'quorum', ...newsLimits };
      const own = argumentsAt(version, { arguments: args, isUnlimited: true });
      await channel.assertQueue(deadLetterNews, { durable: true, arguments: own });
      await channel.bindQueue(deadLetterNews, deadExchange, '#');
      // An earlier version bound the stream itself, which cannot take a header of the type decimal.
      await channel.unbindQueue(deadLetterLog, deadExchange, '#');
      return { isEmpty };
    } catch (cause) {
      // Only the error of the channel or the connection has the broker's own words.
      const { message } = refusal ?? connection.refusal ?? {};
      if (message !== undefined) return { refusal: message, isEmpty: false };
      throw new UnavailableError('broker', 'the connection to the broker was lost', { cause });
    }
  } finally {
    await connection.close();
  }
}
