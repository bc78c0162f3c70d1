import { afterAll, beforeAll, expect, it } from 'vitest';
import { BrokerConnection } from '../../../../runtime/amqp/connection.ts';
import { browse } from '../../../../runtime/dead-letters/others/browse.ts';
import { unlimited } from '../../../support/broker-version.ts';
import { slowConnection } from '../../../support/slow-connection.ts';
import { openVhost, type TestVhost } from '../../../support/vhost.ts';

let vhost: TestVhost;
let connection: BrokerConnection;

beforeAll(async () => {
  vhost = await openVhost({});
  connection = new BrokerConnection({ url: vhost.url, name: 'browse' });
});
afterAll(async () => {
  await connection?.close();
  await vhost?.close();
});

it('other queues: messages that are still on their way when the queue is empty are read and returned', async () => {
  await vhost.channel.assertQueue('orders.dlq');
  for (const id of ['a', 'b']) vhost.channel.sendToQueue('orders.dlq', Buffer.from(id));
  await vhost.channel.waitForConfirms();
  const bodies: string[] = [];
  const receive = ({ content }: { content: Buffer }) => bodies.push(String(content)) > 0;
  expect(await browse(slowConnection(connection), 'orders.dlq', receive)).toBe(true);
  expect(bodies).toEqual(['a', 'b']);
  expect(await vhost.count('orders.dlq')).toBe(2);
});

it('other queues: all messages are ready again when a read of a quorum queue has ended', async () => {
  const queue = 'payments.dlq';
  await vhost.channel.assertQueue(queue, { arguments: { 'x-queue-type': 'quorum', ...unlimited(vhost) } });
  for (const id of ['a', 'b', 'c']) vhost.channel.sendToQueue(queue, Buffer.from(id));
  await vhost.channel.waitForConfirms();
  const counts: number[] = [];
  for (let n = 0; n < 20; n += 1) {
    await browse(connection, queue, () => n % 2 === 0);
    counts.push(await vhost.count(queue));
  }
  expect(counts).toEqual(counts.map(() => 3));
});
