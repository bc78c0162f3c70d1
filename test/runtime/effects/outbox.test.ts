import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectFile } from '../../../dev/stack/project.ts';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { UnavailableError } from '../../../runtime/base/errors.ts';
import { silentLog } from '../../../runtime/base/log.ts';
import { Effects } from '../../../runtime/effects/effects.ts';
import { recordingPublisher } from '../../../runtime/testing/recording-publisher.ts';
import { openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { effectsDatabase } from '../../support/effects.ts';
import { stack } from '../../support/stack.ts';

describe('outbox', () => {
  let own: Awaited<ReturnType<typeof effectsDatabase>>;
  let broker: TestBroker;
  const publisher = new Publisher({ url: stack.AMQP_URL, name: unique('outbox') });
  beforeAll(async () => {
    [own, broker] = await Promise.all([effectsDatabase(), openBroker()]);
  });
  afterAll(async () => {
    await Promise.all([publisher.close(), broker.close()]);
    await own.drop();
  });

  const effectsWith = (given: ConstructorParameters<typeof Effects>[0]['publisher'] = publisher) =>
    new Effects({ database: own.clients.pg.database, publisher: given, log: silentLog });
  const messageOf = () => ({ queue: 'parcels', vhost: '/', messageId: unique('id') });
  const waiting = async () => (await own.run`select id from warren_outbox`).length;
  /** Makes what waits due, in place of waiting for it. */
  const makeDue = () => own.run`update warren_outbox set due_at = now()`;
  const unavailable = {
    publish: async () => {
      throw new UnavailableError('broker', 'down');
    },
  };

  it('a message is published after the commit with its properties, and leaves nothing behind', async () => {
    const queue = await broker.queue();
    const message = messageOf();
    let before = -1;
    await effectsWith().once(message, async ({ publish }) => {
      publish({
        exchange: '',
        routingKey: queue,
        messageId: message.messageId,
        body: { amount: 1.5 },
        headers: { tenant: 'a', nested: { level: 1 } },
        type: 'shipped',
      });
      before = await broker.count(queue);
    });
    expect(before).toBe(0);
    const { properties, content } = await broker.take(queue);
    expect(JSON.parse(content.toString())).toEqual({ amount: 1.5 });
    expect(properties).toMatchObject({
      messageId: message.messageId,
      contentType: 'application/json',
      type: 'shipped',
      deliveryMode: 2,
      headers: { tenant: 'a', nested: { level: 1 } },
    });
    expect(await waiting()).toBe(0);
  });

  it('a message of a process that was killed after the commit is published by the relay', async () => {
    const queue = await broker.queue();
    const message = messageOf();
    const child = spawn(process.execPath, [
      ...['--import', 'tsx', projectFile('test/support/effects-process.ts')],
      ...[own.url, message.messageId, queue],
    ]);
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await broker.count(queue)).toBe(0);
    // The message belongs to its process for some seconds, in case that it is only slow.
    expect(await effectsWith().relay()).toEqual({ sent: 0, failed: 0 });
    await makeDue();
    expect(await effectsWith().relay()).toEqual({ sent: 1, failed: 0 });
    const { properties } = await broker.take(queue);
    expect(properties.messageId).toBe(message.messageId);
    expect(await effectsWith().once(message, async () => 1)).toEqual({ done: 'before' });
    expect(await waiting()).toBe(0);
  });

  it('the effect stands if the broker is unavailable, and the relay publishes its message later', async () => {
    const queue = await broker.queue();
    const message = messageOf();
    const result = await effectsWith(unavailable).once(message, async ({ publish }) =>
      publish({ exchange: '', routingKey: queue, body: Buffer.from([0, 255]) }),
    );
    await makeDue();
    expect(await effectsWith(unavailable).relay()).toEqual({ sent: 0, failed: 1 });
    // It waits before its next try.
    expect(await effectsWith().relay()).toEqual({ sent: 0, failed: 0 });
    await makeDue();
    expect(await effectsWith().relay()).toEqual({ sent: 1, failed: 0 });
    const { properties, content } = await broker.take(queue);
    expect(result).toEqual({ done: 'now', result: properties.messageId });
    expect([...content]).toEqual([0, 255]);
    expect(properties.contentType).toBeUndefined();
  });

  it('a message that reaches no queue stays with its error, and lets others pass', async () => {
    const queue = await broker.queue();
    await effectsWith(unavailable).once(messageOf(), async ({ publish }) => {
      publish({ exchange: '', routingKey: unique('missing'), body: 1 });
      publish({ exchange: '', routingKey: queue, body: 2 });
    });
    await makeDue();
    expect(await effectsWith().relay()).toEqual({ sent: 1, failed: 1 });
    expect((await broker.take(queue)).content.toString()).toBe('2');
    const rows = await own.run`select failures, error, due_at > now() as later from warren_outbox`;
    expect(rows).toEqual([{ failures: 2, error: expect.stringContaining('UnroutableError'), later: true }]);
    await own.run`delete from warren_outbox`;
  });

  it('relays at the same time share the messages', async () => {
    const recording = recordingPublisher();
    await effectsWith(unavailable).once(messageOf(), async ({ publish }) => {
      for (let n = 0; n < 200; n += 1) publish({ exchange: 'parcels', routingKey: 'shipped', body: n });
    });
    await makeDue();
    const effects = effectsWith(recording);
    const runs = await Promise.all([1, 2, 3, 4].map(() => effects.relay({ limit: 60 })));
    expect(runs.reduce((sum, { sent }) => sum + sent, 0)).toBe(recording.published.length);
    while ((await effects.relay({ limit: 60 })).sent > 0);
    expect(recording.published).toHaveLength(200);
    expect(new Set(recording.published.map(({ messageId }) => messageId)).size).toBe(200);
  });

  it('a header that JSON does not have is refused by its name, and the effect does not happen', async () => {
    const message = messageOf();
    const publishing = effectsWith().once(message, async ({ publish }) =>
      publish({ exchange: '', routingKey: 'q', body: 1, headers: { key: Buffer.from('a') } }),
    );
    await expect(publishing).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      message: 'headers.key: expected JSON values, because the outbox stores headers as JSON, got Buffer',
    });
    expect(await effectsWith().once(message, async () => 1)).toMatchObject({ done: 'now' });
  });
});
