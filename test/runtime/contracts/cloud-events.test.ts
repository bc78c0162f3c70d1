import type { ConsumeMessage, GetMessage } from 'amqplib';
import { CloudEvent, HTTP, MQTT } from 'cloudevents';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { cloudEventOf, defineMessage, onMessages, type ReceivedMessage } from '../../../runtime/functions.ts';
import { openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { feeding, patience } from '../../support/feeding.ts';
import { stack } from '../../support/stack.ts';

let broker: TestBroker;
let publisher: Publisher;
beforeAll(async () => {
  broker = await openBroker();
  publisher = new Publisher({ url: stack.AMQP_URL, name: unique('cloud-events') });
});
afterAll(async () => {
  await publisher.close();
  await broker.close();
});

const schema = z.object({ to: z.string() });
const contractFor = (queue: string, mode: 'binary' | 'structured') =>
  defineMessage({
    name: 'parcel-ordered',
    exchange: '',
    key: queue,
    schema,
    cloudEvents: { source: '/parcels', type: 'com.example.parcel.ordered', mode },
  });

/** Reads a message from the broker with the official SDK. */
const readBySdk = ({ content, properties }: GetMessage) => {
  const { contentType, headers = {} } = properties;
  if (String(contentType).startsWith('application/cloudevents+json')) {
    return HTTP.toEvent({ headers: { 'content-type': contentType }, body: content.toString() }) as CloudEvent;
  }
  // The SDK has no AMQP binding. Its binary modes differ in the prefix of the headers only.
  const attributes = Object.entries(headers).flatMap(([name, value]) =>
    name.startsWith('cloudEvents_') ? [[name.replace('cloudEvents_', 'ce-'), value]] : [],
  );
  const mapped = { 'content-type': contentType, ...Object.fromEntries(attributes) };
  return HTTP.toEvent({ headers: mapped, body: content.toString() }) as CloudEvent;
};

/** Handles what a queue has, with a real event source, until a message is handled. */
const handleOne = async (queue: string, contract: ReturnType<typeof contractFor>) => {
  const handled: (ReceivedMessage & { body: { to: string } })[] = [];
  const handler = onMessages({ contract, publisher }, async (message) => handled.push(message));
  const source = await feeding(queue, handler);
  try {
    return await vi.waitFor(() => {
      const [message] = handled;
      if (!message) throw new Error('expected a message');
      return message;
    }, patience);
  } finally {
    await source.stop();
  }
};

describe.each(['binary', 'structured'] as const)('CloudEvents in %s mode', (mode) => {
  it('the official SDK reads an event that a publisher sent', async () => {
    const queue = await broker.queue();
    await publisher.publish(contractFor(queue, mode).message({ to: 'Oslo' }, { messageId: 'parcel-1' }));
    const event = readBySdk(await broker.take(queue));
    expect(event.validate()).toBe(true);
    expect(event.toJSON()).toMatchObject({
      ...{ specversion: '1.0', id: 'parcel-1', source: '/parcels', type: 'com.example.parcel.ordered' },
      ...{ datacontenttype: 'application/json', data: { to: 'Oslo' } },
    });
  });

  it('a function reads an event that the official SDK made, with an extension', async () => {
    const queue = await broker.queue();
    const sent = new CloudEvent({
      ...{ id: 'e-1', source: '/foreign', type: 'com.example.parcel.ordered', data: { to: 'Bergen' } },
      ...{ datacontenttype: 'application/json', tenant: 'north' },
    });
    if (mode === 'structured') {
      const { body, headers } = HTTP.structured(sent);
      await broker.send(queue, Buffer.from(String(body)), { contentType: String(headers['content-type']) });
    } else {
      const { body, headers } = MQTT.binary(sent);
      const prefixed = Object.entries(headers)
        .filter(([name]) => name !== 'datacontenttype')
        .map(([name, value]) => [`cloudEvents:${name}`, value]);
      const content = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
      await broker.send(queue, content, {
        contentType: 'application/json',
        headers: Object.fromEntries(prefixed),
      });
    }
    const message = await handleOne(queue, contractFor(queue, 'binary'));
    expect(message.body).toEqual({ to: 'Bergen' });
    expect(cloudEventOf(message)).toMatchObject({ id: 'e-1', source: '/foreign', tenant: 'north' });
  });
});

describe('CloudEvents', () => {
  const received = (content: unknown, given: Partial<ConsumeMessage['properties']> = {}) =>
    ({ headers: {}, content: Buffer.from(JSON.stringify(content)), ...given }) as unknown as ReceivedMessage;

  it('a message without attributes is no event, and one with a part of them is refused by their names', () => {
    expect(cloudEventOf(received({ to: 'Oslo' }))).toBeUndefined();
    const half = { headers: { cloudEvents_id: '1', cloudEvents_type: 't' } };
    expect(() => cloudEventOf(received({}, half))).toThrow(
      'CloudEvent: specversion: expected text, got undefined; source: expected text, got undefined',
    );
    expect(() => cloudEventOf(received([], { contentType: 'application/cloudevents+json' }))).toThrow(
      'CloudEvent: expected object, got array',
    );
  });
});
