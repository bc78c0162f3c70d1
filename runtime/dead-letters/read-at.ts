import type { Message } from 'amqplib';
import pLimit from 'p-limit';
import type { BrokerConnection } from '../amqp/connection.ts';
import { readStream, type StreamEntry } from './read-stream.ts';

/** Positions of a stream that are read at the same time, each on a channel of its own. */
const readers = 8;
/** Messages in between that cost less time than another position. */
const maxBetween = 32;

/**
 * Reads messages of a stream by their offsets.
 *
 * @param offsets in their order.
 * @returns the messages in their order, without those that the broker has forgotten.
 * @throws as `readStream`.
 */
export async function readAt(
  connection: BrokerConnection,
  name: string,
  offsets: readonly number[],
): Promise<StreamEntry[]> {
  const limit = pLimit(readers);
  const found = await Promise.all(runsOf(offsets).map((run) => limit(() => readRun(connection, name, run))));
  return found.flat();
}

async function readRun(
  connection: BrokerConnection,
  name: string,
  offsets: readonly number[],
): Promise<StreamEntry[]> {
  const [from = 0, last = from] = [offsets[0], offsets.at(-1)];
  const meant = new Set(offsets);
  const found: { offset: number; message: Message }[] = [];
  const ahead = Math.min(1000, last - from + 1);
  for await (const entry of readStream(connection, name, { from, ahead })) {
    if (meant.has(entry.offset)) found.push(entry);
    if (entry.offset >= last) break;
  }
  return found;
}

/** Joins offsets that are near each other. */
function runsOf(offsets: readonly number[]): number[][] {
  const runs: number[][] = [];
  for (const offset of offsets) {
    const run = runs.at(-1);
    if (run && offset - (run.at(-1) ?? 0) <= maxBetween) run.push(offset);
    else runs.push([offset]);
  }
  return runs;
}
