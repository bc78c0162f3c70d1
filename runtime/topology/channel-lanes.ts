import type { Channel } from 'amqplib';
import type { BrokerConnection } from '../amqp/connection.ts';

/** amqplib sends a channel's next request after the answer to the last, so several channels keep the broker busy. */
const maxLanes = 16;

/**
 * Passes each item to a function, one after the other on each of several channels.
 *
 * @param open prepares a channel and returns the function for its items.
 * @throws the first error of a function; later items are skipped.
 */
export async function inLanes<Item>(
  connection: Pick<BrokerConnection, 'channel'>,
  items: readonly Item[],
  open: (channel: Channel) => (item: Item) => Promise<unknown>,
): Promise<void> {
  const waiting = items.values();
  let failed = false;
  const lane = async () => {
    const channel = await connection.channel();
    const run = open(channel);
    for (const item of waiting) {
      if (failed) break;
      await run(item);
    }
    await channel.close();
  };
  const guarded = async () => {
    try {
      await lane();
    } catch (error) {
      failed = true;
      throw error;
    }
  };
  const lanes = Array.from({ length: Math.min(maxLanes, items.length) }, guarded);
  await Promise.all(lanes);
}
