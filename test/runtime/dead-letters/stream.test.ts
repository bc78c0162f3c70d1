import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { BrokerConnection } from '../../../runtime/amqp/connection.ts';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { stream } from '../../../runtime/dead-letters/stream.ts';
import { applyTopology } from '../../../runtime/topology/apply.ts';
import { compileTopology } from '../../../runtime/topology/compile.ts';
import { basicAuthorization } from '../../../runtime/topology/management.ts';
import { deadLetters } from '../../../runtime/topology/names.ts';
import { readSection } from '../../../runtime/topology/schema.ts';
import { unique } from '../../support/broker.ts';
import { slowConnection } from '../../support/slow-connection.ts';
import { stack } from '../../support/stack.ts';

/** A virtual host for this file, because other tests also read the dead letters. */
const vhost = unique('vhost');
const url = new URL(stack.AMQP_URL);
url.pathname = `/${vhost}`;
const count = 25;
/** Dead letters that the previous test left in the queue. */
let filled = 0;

let publisher: Publisher;
let connection: BrokerConnection;

beforeAll(async () => {
  await ask('PUT', `/vhosts/${vhost}`, {});
  const all = { configure: '.*', write: '.*', read: '.*' };
  await ask('PUT', `/permissions/${vhost}/${url.username}`, all);
  await applyTopology(url.href, compileTopology(readSection({ queues: {} })));
  publisher = new Publisher({ url: url.href, name: vhost });
});
beforeEach(async () => {
  await connection?.close();
  connection = new BrokerConnection({ url: url.href, name: vhost });
  // Channels return their dead letters to the queue in any order, so each test has new ones.
  const channel = await connection.channel();
  const purged = async () => (await channel.purgeQueue(deadLetters)).messageCount;
  await expect.poll(purged, { timeout: 15_000 }).toBe(filled);
  filled = count;
  for (let n = 0; n < count; n += 1) {
    await publisher.publish({ exchange: '', routingKey: deadLetters, body: n });
  }
  await expect.poll(async () => (await channel.checkQueue(deadLetters)).messageCount).toBe(count);
});
afterAll(async () => {
  await connection?.close();
  await publisher?.close();
  await ask('DELETE', `/vhosts/${vhost}`);
});

async function ask(method: string, path: string, body?: unknown): Promise<void> {
  const { origin } = new URL(stack.AMQP_MANAGEMENT_URL);
  const authorization = basicAuthorization(stack.AMQP_MANAGEMENT_URL);
  const headers = { authorization, 'content-type': 'application/json' };
  const response = await fetch(`${origin}/api${path}`, { method, headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
}

describe('stream', () => {
  const read = async (options: { count: number; prefetch?: number; stallMs?: number }, from = connection) => {
    const bodies: number[] = [];
    await stream(from, options, ({ content }) => bodies.push(Number(content.toString())) > 0);
    return bodies;
  };
  const all = Array.from({ length: count }, (_, n) => n);

  it('stream: more dead letters than one consumer may prefetch are read by further consumers, in order', async () => {
    expect(await read({ count, prefetch: 10 })).toEqual(all);
  });

  it('stream: it ends at the given number', async () => {
    expect(await read({ count: 3 })).toEqual([0, 1, 2]);
  });

  it('stream: it ends when `receive` returns false', async () => {
    let seen = 0;
    await stream(connection, { count }, () => {
      seen += 1;
      return seen < 4;
    });
    expect(seen).toBe(4);
  });

  it('stream: all dead letters are ready again when it has ended', async () => {
    const channel = await connection.channel();
    const counts: number[] = [];
    for (let n = 0; n < 20; n += 1) {
      await read({ count: n % 2 === 0 ? count : 3, prefetch: 10 });
      counts.push((await channel.checkQueue(deadLetters)).messageCount);
    }
    expect(counts).toEqual(counts.map(() => count));
  });

  it('stream: it ends if another client took the rest', async () => {
    expect(await read({ count: count + 5 })).toEqual(all);
  });

  it('stream: dead letters that are still on their way when the queue is empty are read', async () => {
    expect(await read({ count: count + 5 }, slowConnection(connection))).toEqual(all);
  });

  it('stream: it fails with the number it saw if no dead letter arrives while others are left', async () => {
    // The broker delivers fewer than the stream expects, as a quorum queue does for a consumer without a prefetch.
    const limited = Object.assign(Object.create(connection) as BrokerConnection, {
      channel: async () => {
        const channel = await connection.channel();
        const prefetch = channel.prefetch.bind(channel);
        return Object.assign(channel, { prefetch: () => prefetch(10) });
      },
    });
    await expect(read({ count, stallMs: 1000 }, limited)).rejects.toThrow(
      'saw 10 of 25 dead letters, then none for 1000 ms although 15 are left',
    );
  });
});
