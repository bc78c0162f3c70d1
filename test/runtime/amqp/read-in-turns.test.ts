import { afterEach, expect, it } from 'vitest';
import { BrokerConnection } from '../../../runtime/amqp/connection.ts';
import { stack } from '../../support/stack.ts';

let connection: BrokerConnection | undefined;
afterEach(() => connection?.close());

/** Takes processor time. */
function work(ms: number): void {
  for (const until = performance.now() + ms; performance.now() < until; );
}

it('amqp: a burst of messages is read in turns of the event loop, completely and in its order', async () => {
  connection = new BrokerConnection({ url: stack.AMQP_URL, name: 'read-in-turns' });
  const channel = await connection.confirmChannel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  const count = 1000;
  for (let n = 0; n < count; n += 1) channel.sendToQueue(queue, Buffer.from(`${n}`.padEnd(8000, '.')));
  await channel.waitForConfirms();
  const received: string[] = [];
  let inTurn = 0;
  let most = 0;
  const turn = () => {
    most = Math.max(most, inTurn);
    inTurn = 0;
    if (received.length < count) setImmediate(turn);
  };
  setImmediate(turn);
  const take = (content: Buffer) => {
    received.push(`${content}`.replaceAll('.', ''));
    inTurn += 1;
    work(1);
  };
  await channel.consume(queue, (message) => message && take(message.content), { noAck: true });
  await expect.poll(() => received.length, { timeout: 20_000 }).toBe(count);
  expect(received).toEqual(Array.from({ length: count }, (_, n) => `${n}`));
  // Without turns, Node reads up to 32 times 64 KiB at once, which are 262.
  expect(most).toBeLessThan(60);
});
