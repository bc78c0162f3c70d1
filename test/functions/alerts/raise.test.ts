import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { httpEvent, recordingPublisher } from 'warren/testing';
import { createHandler as createRaise } from '../../../functions/alerts/raise.ts';
import type { OutgoingMessage } from '../../../runtime/amqp/outgoing.ts';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { UnroutableError } from '../../../runtime/base/errors.ts';
import { openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { bearer, openDeps } from '../../support/deps.ts';
import { context } from '../../support/events.ts';

const deps = openDeps();
afterAll(() => deps.close());

describe('POST /alerts', () => {
  const handler = createRaise(deps);
  let broker: TestBroker;
  beforeAll(async () => {
    broker = await openBroker();
  });
  afterAll(() => broker.close());

  const raise = async (body: unknown, authorization?: string) => {
    const event = httpEvent({ body, authorization: authorization ?? (await bearer(1)) });
    const reply = await handler(event, context);
    return JSON.parse(reply.body ?? '') as Record<string, unknown>;
  };

  it('publishes the alert and answers with its message id', async () => {
    const queue = await broker.queue('alerts');
    const type = `t${randomUUID()}`;
    await broker.channel.bindQueue(queue, 'alerts', `*.${type}`);
    const reply = await raise({ routing_key: `critical.${type}`, message: { limit: 1000 } });
    const { content, properties, fields } = await broker.take(queue);
    expect(reply).toEqual({ message_id: properties.messageId });
    expect(JSON.parse(content.toString())).toEqual({ limit: 1000 });
    expect(fields.routingKey).toBe(`critical.${type}`);
    expect(properties).toMatchObject({ contentType: 'application/json', deliveryMode: 2 });
  });

  it('digits: an alert is published with the numbers of the request', async () => {
    const queue = await broker.queue('alerts');
    const type = `t${randomUUID()}`;
    await broker.channel.bindQueue(queue, 'alerts', `*.${type}`);
    const message = '{"values":[-0,1.10,1E3,1e400,12345678901234567890]}';
    await raise(Buffer.from(`{"routing_key":"critical.${type}","message":${message}}`));
    expect((await broker.take(queue)).content.toString()).toBe(message);
  });

  it('passes the dedup key on, and refuses an invalid one with 422', async () => {
    const queue = await broker.queue('alerts');
    const type = `t${randomUUID()}`;
    await broker.channel.bindQueue(queue, 'alerts', `*.${type}`);
    const alert = { routing_key: `critical.${type}`, message: 'x' };
    await raise({ ...alert, dedup_key: 'disk 7' });
    expect((await broker.take(queue)).properties.headers).toMatchObject({ dedup_key: 'disk 7' });
    for (const dedup_key of ['', 7, null, 'two\nlines', 'x'.repeat(201)]) {
      const detail = expect.stringMatching(/^dedup_key: expected a text of 1 to 200/);
      expect(await raise({ ...alert, dedup_key })).toMatchObject({ status: 422, detail });
    }
  });

  it.each(['critical', 'a.b.c', 'critical.*', '#', '', `a.${'b'.repeat(300)}`, 'critical.\r\nx', 7, null])(
    'refuses the routing key %j with 422',
    async (routing_key) => {
      const reply = await raise({ routing_key, message: 'x' });
      expect(reply).toMatchObject({ status: 422, detail: expect.stringContaining('routing_key: ') });
    },
  );

  it('accepts a message of 256 KiB, and refuses a larger one with 413 before it is published', async () => {
    const publisher = recordingPublisher();
    const copies = publisher.published;
    const raiseHere = createRaise({ ...deps, publisher });
    const authorization = await bearer(1);
    const ask = (message: unknown) =>
      raiseHere(httpEvent({ authorization, body: { routing_key: 'critical.large', message } }), context);
    const most = 256 * 1024;
    expect((await ask('x'.repeat(most - 2))).statusCode).toBe(202);
    for (const message of ['x'.repeat(most - 1), 'ü'.repeat(most / 2), { lines: Array(54_000).fill(1234) }]) {
      const reply = await ask(message);
      expect([reply.statusCode, JSON.parse(reply.body ?? '')]).toEqual([
        413,
        expect.objectContaining({
          title: 'Too large',
          detail: `message: expected at most 262144 bytes of JSON (256 KiB), got ${Buffer.byteLength(JSON.stringify(message))}`,
        }),
      ]);
    }
    const far = await ask({ lines: Array(90_000).fill(1234) });
    expect([far.statusCode, JSON.parse(far.body ?? '')]).toEqual([
      413,
      expect.objectContaining({ detail: 'body: expected at most 278528 bytes, got 450054' }),
    ]);
    expect(copies).toHaveLength(1);
  });

  it('answers 422 if no queue is bound for the routing key', async () => {
    const publisher = {
      publish: ({ exchange, routingKey }: OutgoingMessage) =>
        Promise.reject(new UnroutableError(exchange, routingKey)),
    };
    const event = httpEvent({ body: { routing_key: 'a.b', message: 'x' }, authorization: await bearer(1) });
    const reply = await createRaise({ ...deps, publisher })(event, context);
    expect(JSON.parse(reply.body ?? '')).toMatchObject({
      title: 'No route',
      status: 422,
      detail: 'routing_key: no queue is bound for "a.b"',
    });
  });

  it('answers 503 while the broker is unavailable', async () => {
    const publisher = new Publisher({ url: 'amqp://user:secret@127.0.0.1:9', name: unique('away') });
    const event = httpEvent({ body: { routing_key: 'a.b', message: 'x' }, authorization: await bearer(1) });
    const reply = await createRaise({ ...deps, publisher })(event, context);
    expect(reply).toMatchObject({ statusCode: 503, headers: { 'retry-after': '5' } });
    expect(reply.body).not.toContain('secret');
    await publisher.close();
  });

  it('refuses a content type other than JSON with 415', async () => {
    for (const contentType of ['text/plain', 'multipart/form-data; boundary=x']) {
      const body = JSON.stringify({ routing_key: 'a.b', message: 'x' });
      const event = httpEvent({ body, contentType, authorization: await bearer(1) });
      expect((await handler(event, context)).statusCode).toBe(415);
    }
  });

  it('raises two alerts for two identical requests', async () => {
    const request = { routing_key: `info.t${randomUUID()}`, message: 'x' };
    const [one, other] = [await raise(request), await raise(request)];
    expect(one['message_id']).not.toBe(other['message_id']);
  });

  it('refuses a request without a message, with broken JSON, without the scope', async () => {
    expect(await raise({ routing_key: 'a.b' })).toMatchObject({
      status: 422,
      detail: expect.stringMatching(/^message: /),
    });
    expect(await raise('{"routing_key":')).toMatchObject({ status: 400 });
    expect(await raise({}, await bearer(1, ['rpc:call']))).toMatchObject({ status: 403 });
  });
});
