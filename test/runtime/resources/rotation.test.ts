import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { publisher, requester, rpcClient } from 'warren/functions';
import { silentLog } from '../../../runtime/base/log.ts';
import { EventSource } from '../../../runtime/event-source/event-source.ts';
import { readEvent } from '../../../runtime/messages/received.ts';
import { openResources } from '../../../runtime/resources/lambda.ts';
import { SettingsReader } from '../../../runtime/settings/read.ts';
import { brokerSettings } from '../../../runtime/settings/sections.ts';
import { openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { type RotatedUser, rotatedUser, type SecretFile, secretFile } from '../../support/rotation.ts';

let broker: TestBroker;
let user: RotatedUser;
let file: SecretFile;
const ends: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  broker = await openBroker();
  user = await rotatedUser();
  file = await secretFile(user.url);
});
afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end()));
});
afterAll(async () => {
  await user.remove();
  await file.remove();
  await broker.close();
});

/** Serves an RPC method on the test's own connection, whose password stays. */
async function serve(method: string): Promise<void> {
  const { channel } = broker;
  const { queue } = await channel.assertQueue(method, { exclusive: true });
  await channel.bindQueue(queue, 'rpc', method);
  await channel.consume(
    queue,
    (request) => {
      const { replyTo = '', correlationId } = request?.properties ?? {};
      channel.sendToQueue(replyTo, Buffer.from('"served"'), { correlationId });
    },
    { noAck: true },
  );
}

describe('rotation of the password of the broker', () => {
  it('rotation: publisher, requester, RPC client and event source work on after the secret file has changed', async () => {
    const [queue, method] = [await broker.queue(), unique('method')];
    await serve(method);
    const env = { AMQP_URL_FILE: file.path };
    const open = await openResources({ publisher, requester, rpcClient }, env);
    const settings = new SettingsReader({ broker: brokerSettings }, env);
    const url = async () => (await settings.read()).broker.AMQP_URL;
    const seen: string[] = [];
    const source = new EventSource({
      url: await url(),
      renewUrl: url,
      mappings: [{ functionName: 'f', queue, vhost: '/', arn: 'a', batchSize: 1, windowMs: 10 }],
      invoke: () => async (event) => {
        for (const { content } of readEvent(event)) seen.push(String(JSON.parse(content.toString())));
      },
      log: silentLog,
    });
    ends.push(
      () => open.publisher.close(),
      () => open.requester.close(),
      () => open.rpcClient.close(),
    );
    ends.push(() => source.stop());
    await source.start();

    const useAll = async (text: string) => {
      await open.publisher.publish({ exchange: '', routingKey: queue, body: text });
      await open.requester.publish({ exchange: '', routingKey: queue, body: text }, { waitMs: 1 });
      return open.rpcClient.call(method, {}, { timeoutMs: 4000 });
    };
    await useAll('before');
    await expect.poll(() => seen, { timeout: 10_000 }).toEqual(['before', 'before']);

    // A publisher, a requester with two connections, an RPC client, and the consumer.
    const renewed = await user.rotate(5);
    await expect(
      open.publisher.publish({ exchange: '', routingKey: queue, body: 'x' }),
    ).rejects.toMatchObject({
      code: 'ERR_BROKER_REFUSED',
    });
    const changed = performance.now();
    await file.write(renewed);
    await expect(useAll('after')).resolves.toMatchObject({ body: 'served' });
    await expect.poll(() => seen.slice(2), { timeout: 10_000 }).toEqual(['after', 'after']);
    expect(performance.now() - changed).toBeLessThan(10_000);
  }, 60_000);

  it('rotation: the error reports that the secret file cannot be read, and no secret', async () => {
    const gone = await secretFile(Object.assign(new URL(user.url), { password: 's3cr3t' }).href);
    const open = await openResources({ publisher }, { AMQP_URL_FILE: gone.path });
    ends.push(() => open.publisher.close());
    await gone.remove();
    const publishing = open.publisher.publish({ exchange: '', routingKey: 'any', body: 1 });
    await expect(publishing).rejects.toMatchObject({ code: 'ERR_BROKER_REFUSED' });
    await expect(publishing).rejects.toThrow(/refused the user or password, and .*AMQP_URL_FILE: .*ENOENT/s);
    await expect(publishing).rejects.not.toThrow(/s3cr3t/);
  });
});
