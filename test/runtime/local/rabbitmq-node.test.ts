import { afterEach, expect, it } from 'vitest';
import { type PrivateBroker, privateBroker } from '../../../dev/stack/private-broker.ts';
import { BrokerConnection } from '../../../runtime/amqp/connection.ts';
import { Publisher } from '../../../runtime/amqp/publisher.ts';

let broker: PrivateBroker;
afterEach(() => broker.close());

it('a broker with the management page ends its statistics before it stops, and keeps confirmed messages', async () => {
  const settings = (port: number) => ['management.tcp.ip = 127.0.0.1', `management.tcp.port = ${port}`];
  broker = await privateBroker(settings, '', undefined, ['rabbitmq_management']);
  const publisher = new Publisher({ url: broker.url, name: 'test' });
  const declared = new BrokerConnection({ url: broker.url, name: 'test' });
  const types = ['quorum', 'classic'];
  for (const type of types) {
    const channel = await declared.channel();
    await channel.assertQueue(type, { durable: true, arguments: { 'x-queue-type': type } });
    const send = (n: number) => publisher.publish({ exchange: '', routingKey: type, body: n });
    await Promise.all(Array.from({ length: 100 }, (_, n) => send(n)));
  }
  await Promise.all([publisher.close(), declared.close()]);
  await broker.stop();
  expect(await broker.output()).toMatch(/to stop collect_statistics[\s\S]*SIGTERM/);

  await broker.start();
  const reader = new BrokerConnection({ url: broker.url, name: 'test' });
  const channel = await reader.channel();
  for (const type of types) expect((await channel.checkQueue(type)).messageCount).toBe(100);
  await reader.close();
}, 180_000);
