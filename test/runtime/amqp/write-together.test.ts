import type { ChannelModel, ConsumeMessage } from 'amqplib';
import { afterEach, expect, it, vi } from 'vitest';
import { BrokerConnection } from '../../../runtime/amqp/connection.ts';
import { stack } from '../../support/stack.ts';

let connection: BrokerConnection | undefined;
afterEach(() => connection?.close());

it('amqp: the small frames of a turn are one write, and large ones stay in their place among them', async () => {
  connection = new BrokerConnection({ url: stack.AMQP_URL, name: 'write-together' });
  const channel = await connection.confirmChannel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  const { muxer } = (channel as unknown as { connection: { muxer: { out: ChannelModel['connection'] } } })
    .connection;
  const write = vi.spyOn(muxer.out as unknown as { write(chunk: Buffer): boolean }, 'write');
  const bodies = Array.from({ length: 500 }, (_, n) => `${n}`.padEnd(n === 250 ? 200_000 : 1, '.'));
  for (const body of bodies) channel.sendToQueue(queue, Buffer.from(body));
  await channel.waitForConfirms();
  // Each message alone is a frame, and the large one some more.
  expect(write.mock.calls.length).toBeLessThan(50);
  const received: string[] = [];
  const take = (message: ConsumeMessage | null) => void received.push(`${message?.content}`);
  await channel.consume(queue, take, { noAck: true });
  await expect.poll(() => received.length).toBe(500);
  expect(received).toEqual(bodies);
});
