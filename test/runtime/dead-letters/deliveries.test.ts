import { afterAll, beforeAll, expect, it } from 'vitest';
import { BrokerConnection } from '../../../runtime/amqp/connection.ts';
import { Deliveries } from '../../../runtime/dead-letters/deliveries.ts';
import { slowConnection } from '../../support/slow-connection.ts';
import { openVhost, type TestVhost } from '../../support/vhost.ts';

let vhost: TestVhost;
let connection: BrokerConnection;

beforeAll(async () => {
  vhost = await openVhost({ queues: { shop: {} } });
  connection = new BrokerConnection({ url: vhost.url, name: 'deliveries' });
});
afterAll(async () => {
  await connection?.close();
  await vhost?.close();
});

it('deliveries: dead letters that are still on their way when the queue is empty are taken', async () => {
  for (const id of ['a', 'b', 'c']) vhost.channel.sendToQueue('shop', Buffer.from(id));
  await vhost.channel.waitForConfirms();
  const options = { prefetch: 2, isOrdered: true, queue: 'shop' };
  const deliveries = new Deliveries(slowConnection(connection), options);
  const bodies: string[] = [];
  for (;;) {
    const delivery = await deliveries.next();
    if (!delivery) break;
    bodies.push(String(delivery.message.content));
    if (bodies.at(-1) === 'b') delivery.keep();
    else delivery.remove();
  }
  await deliveries.close();
  expect(bodies).toEqual(['a', 'b', 'c']);
  expect(String((await vhost.take('shop')).content)).toBe('b');
  expect(await vhost.count('shop')).toBe(0);
});
