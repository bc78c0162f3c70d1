import { gzipSync } from 'node:zlib';
import type { ConsumeMessage, GetMessage } from 'amqplib';
import { CloudEvent, HTTP, MQTT } from 'cloudevents';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { silentLog } from '../../../runtime/base/log.ts';
import {
  cloudEventOf,
  defineMessage,
  type MessagesOptions,
  onMessages,
  type ReceivedMessage,
} from '../../../runtime/functions.ts';
import { invoke, rabbitMQEvent, recordingPublisher, type TestMessage } from '../../../runtime/testing.ts';
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
      specversion: '1.0',
      id: 'parcel-1',
      source: '/parcels',
      type: 'com.example.parcel.ordered',
      datacontenttype: 'application/json',
      data: { to: 'Oslo' },
    });
  });

  it('a function reads an event that the official SDK made, with an extension', async () => {
    const queue = await broker.queue();
    const sent = new CloudEvent({
      id: 'e-1',
      source: '/foreign',
      type: 'com.example.parcel.ordered',
      data: { to: 'Bergen' },
      datacontenttype: 'application/json',
      tenant: 'north',
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

  /** The bodies that a function with a contract handles, and the reasons for which it dead-letters the others. */
  const readBy = async (
    options: Pick<MessagesOptions<{ to: string }>, 'contract'>,
    messages: TestMessage[],
  ) => {
    const recorded = recordingPublisher();
    const handled: unknown[] = [];
    const handler = onMessages({ ...options, publisher: recorded, log: silentLog }, async (message) => {
      handled.push([message.body, cloudEventOf(message)?.id]);
    });
    await invoke(handler, rabbitMQEvent(messages.map((message) => ({ queue: 'q', ...message }))));
    return { handled, refused: recorded.published.map(({ headers }) => String(headers?.['x-warren-error'])) };
  };
  const contract = contractFor('q', 'structured');
  const event = { specversion: '1.0', id: 'e-1', source: '/x', type: 'com.example.parcel.ordered' };
  const structured = (given: object) => ({
    contentType: 'application/cloudevents+json',
    body: { ...event, ...given },
  });

  it('the attributes of a structured event whose content is compressed are known to its function', async () => {
    const content = JSON.stringify({ ...event, data: { to: 'Oslo' } });
    const message = {
      contentType: 'application/cloudevents+json',
      contentEncoding: 'gzip',
      body: gzipSync(content),
    };
    expect(await readBy({ contract }, [message])).toEqual({
      handled: [[{ to: 'Oslo' }, 'e-1']],
      refused: [],
    });
  });

  it('a plain message of any type is read as without events, and an event of another type is refused', async () => {
    const [plain, other] = [
      { type: 'of-the-publisher', body: { to: 'Oslo' } },
      structured({ type: 'com.example.other', data: { to: 'Rome' } }),
    ];
    const { handled, refused } = await readBy({ contract }, [plain, other]);
    expect(handled).toEqual([[{ to: 'Oslo' }, undefined]]);
    expect(refused).toEqual([expect.stringContaining('got "com.example.other"')]);
  });

  it('an event of another version of CloudEvents, or with two forms of its data, is refused', async () => {
    const data = { to: 'Oslo' };
    const { handled, refused } = await readBy({ contract }, [
      structured({ specversion: '0.3', data }),
      structured({ data, data_base64: 'e30=' }),
    ]);
    expect(handled).toEqual([]);
    expect(refused).toEqual([
      expect.stringContaining('CloudEvent: specversion: expected "1.0", got "0.3"'),
      expect.stringContaining('CloudEvent: data: expected none beside data_base64, got both'),
    ]);
  });

  it('a source that the official SDK refuses is an error of the settings, and every other one is not', () => {
    const sources = [
      '/päckchen',
      '/a b',
      '',
      'a%',
      '%zz',
      'https://ä.de/x',
      'a#b#c',
      'urn:x',
      '/x?y#z',
      '/p%C3%A4',
    ];
    const isRefused = (define: () => unknown) => {
      try {
        define();
        return false;
      } catch {
        return true;
      }
    };
    const bySdk = sources.map((source) =>
      isRefused(() => new CloudEvent({ id: '1', type: 't', source, data: {} }).validate()),
    );
    const byUs = sources.map((source) =>
      isRefused(() => defineMessage({ name: 'a', exchange: '', schema, cloudEvents: { source } })),
    );
    expect(byUs).toEqual(bySdk);
    expect(bySdk).toContain(false);
    expect(() => defineMessage({ name: 'a', exchange: '', schema, cloudEvents: { source: '/ä' } })).toThrow(
      'contract "a": cloudEvents: source: expected a URI reference such as "/orders", got "/ä"',
    );
  });

  it('a batch of events, which AMQP does not know, is refused by its content type', async () => {
    const contentType = 'application/cloudevents-batch+json; charset=utf-8';
    const anything = defineMessage({
      name: 'any',
      exchange: '',
      schema: z.unknown(),
      cloudEvents: { source: '/x' },
    });
    const { handled, refused } = await readBy({ contract: anything as typeof contract }, [
      { contentType, body: [{ ...event, data: { to: 'Oslo' } }] },
    ]);
    const text =
      'CloudEvent: expected one event a message, application/cloudevents+json, got application/cloudevents-batch+json';
    expect([handled, refused]).toEqual([[], [expect.stringContaining(text)]]);
    expect(() => cloudEventOf(received([event], { contentType }))).toThrow(text);
  });

  it('versions that share the type of their events are distinguished by the property type', async () => {
    const common = { name: 'parcel', exchange: '', key: 'q', cloudEvents: { source: '/p', type: 'com.p' } };
    const first = defineMessage({ ...common, version: 1, schema: z.object({ to: z.string() }) });
    const second = defineMessage({ ...common, version: 2, schema: z.object({ city: z.string() }) });
    const recorded = recordingPublisher();
    const versions: unknown[] = [];
    const handler = onMessages(
      { contracts: [first, second], publisher: recorded, log: silentLog },
      async ({ version, body }) => versions.push([version, body]),
    );
    const messages = [second.message({ city: 'Oslo' }), first.message({ to: 'Rome' })].map(
      ({ body, type, headers = {} }) => ({ body, type, headers }),
    );
    await invoke(handler, rabbitMQEvent(messages.map((message) => ({ queue: 'q', ...message }))));
    expect(recorded.published).toEqual([]);
    expect(versions).toEqual([
      [2, { city: 'Oslo' }],
      [1, { to: 'Rome' }],
    ]);
  });

  it.each(['binary', 'structured'] as const)(
    'an event in %s mode that is published with the headers of another event has attributes of its own',
    (mode) => {
      const attributes = ['specversion', 'id', 'source', 'type', 'time'].flatMap((name) => [
        [`cloudEvents:${name}`, 'old'],
        [`cloudEvents_${name}`, 'old'],
      ]);
      const headers = { ...Object.fromEntries(attributes), cloudEvents_subject: '7', tenant: 'a' };
      const message = contractFor('q', mode).message({ to: 'Oslo' }, { headers, messageId: 'e-2' });
      expect(message.headers).toMatchObject({ cloudEvents_subject: '7', tenant: 'a' });
      expect(Object.values(message.headers ?? {})).not.toContain('old');
      const content = Buffer.from(JSON.stringify(message.body));
      const received = { contentType: message.contentType, headers: message.headers ?? {}, content };
      expect(cloudEventOf(received)).toMatchObject({ id: 'e-2', source: '/parcels' });
    },
  );

  it('the time of an event may be a timestamp of AMQP, and is a text for its reader', async () => {
    const queue = await broker.queue();
    const headers = Object.fromEntries(
      Object.entries(event).map(([name, value]) => [`cloudEvents_${name}`, value] as [string, unknown]),
    );
    headers['cloudEvents_time'] = { '!': 'timestamp', value: 1_800_000_000 };
    await broker.send(queue, Buffer.from('{"to":"Oslo"}'), { contentType: 'application/json', headers });
    const message = await handleOne(queue, contractFor(queue, 'binary'));
    expect(cloudEventOf(message)).toMatchObject({ id: 'e-1', time: '2027-01-15T08:00:00.000Z' });
  });
});
