import type { ConsumeMessage } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { headerBytes } from '../../../runtime/amqp/header-size.ts';
import { encodedSize } from '../../../runtime/event-source/encoded-size.ts';
import { type BasicProperties, type RabbitMQEvent, toEvent } from '../../../runtime/messages/event.ts';
import { fromHeaderValue } from '../../../runtime/messages/event-headers.ts';
import { readEvent } from '../../../runtime/messages/received.ts';
import { delivery, openBroker, type TestBroker } from '../../support/broker.ts';

const source = { arn: 'arn:aws:mq:eu-west-1:1:broker:b:b-1', queue: 'critical', vhost: '/' };

/** AWS's sample at https://docs.aws.amazon.com/lambda/latest/dg/with-mq.html, "Sample RabbitMQ event". */
const sample: RabbitMQEvent = {
  eventSource: 'aws:rmq',
  eventSourceArn:
    'arn:aws:mq:us-east-1:111122223333:broker:pizzaBroker:b-9bcfa592-423a-4942-879d-eb284b418fc8',
  rmqMessagesByQueue: {
    'pizzaQueue::/': [
      {
        basicProperties: {
          contentType: 'text/plain',
          contentEncoding: null,
          headers: {
            header1: { bytes: [118, 97, 108, 117, 101, 49] },
            header2: { bytes: [118, 97, 108, 117, 101, 50] },
            numberInHeader: 10,
          },
          deliveryMode: 1,
          priority: 34,
          correlationId: null,
          replyTo: null,
          expiration: '60000',
          messageId: null,
          timestamp: 'Jan 1, 1970, 12:33:41 AM',
          type: null,
          userId: 'AIDACKCEVSQ6C2EXAMPLE',
          appId: null,
          clusterId: null,
          bodySize: 80,
        },
        redelivered: false,
        data: 'eyJ0aW1lb3V0IjowLCJkYXRhIjoiQ1pybWYwR3c4T3Y0YnFMUXhENEUifQ==',
      },
    ],
  },
};

const first = (event: RabbitMQEvent) => {
  const [message] = Object.values(event.rmqMessagesByQueue).flat();
  if (!message) throw new Error('no message in the event');
  return message;
};

const eventOf = (properties: Parameters<typeof delivery>[1]) =>
  first(toEvent(source, [delivery('1', properties)]));

describe('toEvent', () => {
  it("event: it equals AWS's sample for the same message, except for our two headers", () => {
    const made = toEvent({ arn: sample.eventSourceArn, queue: 'pizzaQueue', vhost: '/' }, [
      delivery(Buffer.from(first(sample).data, 'base64'), {
        fields: { exchange: 'pizza', routingKey: 'margherita' },
        properties: {
          contentType: 'text/plain',
          headers: { header1: 'value1', header2: 'value2', numberInHeader: 10 },
          deliveryMode: 1,
          priority: 34,
          expiration: '60000',
          timestamp: 2021,
          userId: 'AIDACKCEVSQ6C2EXAMPLE',
        },
      }),
    ]);
    const message = first(sample);
    expect(made).toStrictEqual({
      ...sample,
      rmqMessagesByQueue: {
        'pizzaQueue::/': [
          {
            ...message,
            basicProperties: {
              ...message.basicProperties,
              headers: {
                ...message.basicProperties.headers,
                'x-exchange': { bytes: [...Buffer.from('pizza')] },
                'x-routing-key': { bytes: [...Buffer.from('margherita')] },
              },
              // The sample's number is not the length of the sample's data.
              bodySize: Buffer.from(message.data, 'base64').length,
            },
          },
        ],
      },
    });
  });

  it('event: a missing property is null', () => {
    const { headers, bodySize, ...rest } = eventOf({}).basicProperties;
    expect(rest).toStrictEqual({
      contentType: null,
      contentEncoding: null,
      deliveryMode: null,
      priority: null,
      correlationId: null,
      replyTo: null,
      expiration: null,
      messageId: null,
      timestamp: null,
      type: null,
      userId: null,
      appId: null,
      clusterId: null,
    });
    expect(Object.keys(headers ?? {})).toEqual(['x-exchange', 'x-routing-key']);
    expect(bodySize).toBe(1);
  });

  it('event: a message may have no headers property', () => {
    const { headers } = eventOf({ properties: { headers: undefined } }).basicProperties;
    expect(Object.keys(headers ?? {})).toEqual(['x-exchange', 'x-routing-key']);
  });

  it('event: a message from a retry queue keeps the exchange and routing key of its first publish', () => {
    const { headers } = eventOf({
      fields: { exchange: '', routingKey: 'critical' },
      properties: { headers: { 'x-warren-exchange': 'alerts', 'x-warren-routing-key': 'critical.cpu' } },
    }).basicProperties;
    expect(fromHeaderValue(headers)).toMatchObject({
      'x-exchange': 'alerts',
      'x-routing-key': 'critical.cpu',
    });
  });

  it('event: it survives JSON unchanged', () => {
    const made = toEvent(source, [delivery('{"a":1}', { properties: { headers: { n: 1, s: 'x' } } })]);
    expect(JSON.parse(JSON.stringify(made))).toStrictEqual(made);
  });
});

describe('headers from the broker', () => {
  let broker: TestBroker;
  beforeAll(async () => {
    broker = await openBroker();
  });
  afterAll(() => broker.close());

  it('headers: every type of the field table keeps its value', async () => {
    const queue = await broker.queue('headers', {});
    await broker.send(queue, 1, {
      headers: {
        string: 'größe',
        buffer: Buffer.from([0, 255]),
        byte: 7,
        long: 4_000_000_000,
        big: { '!': 'int64', value: 2 ** 53 - 1 },
        negative: -5,
        double: 1.5,
        yes: true,
        no: false,
        nothing: null,
        table: { inner: 'text', deeper: { n: 1 } },
        array: ['a', 2, false, { k: 'v' }],
        timestamp: { '!': 'timestamp', value: 2021 },
        decimal: { '!': 'decimal', value: { digits: 314, places: 2 } },
      },
    });
    const { content, fields, properties } = await broker.take(queue);
    const { headers } = first(toEvent(source, [{ content, fields, properties }])).basicProperties;
    const bytes = (text: string) => ({ bytes: [...Buffer.from(text)] });
    expect(headers).toStrictEqual({
      string: bytes('größe'),
      buffer: { bytes: [0, 255] },
      byte: 7,
      long: 4_000_000_000,
      big: 9_007_199_254_740_991,
      negative: -5,
      double: 1.5,
      yes: true,
      no: false,
      nothing: null,
      table: { inner: bytes('text'), deeper: { n: 1 } },
      array: [bytes('a'), 2, false, { k: bytes('v') }],
      timestamp: bytes('Jan 1, 1970, 12:33:41 AM'),
      decimal: 3.14,
      'x-exchange': bytes(''),
      'x-routing-key': bytes(queue),
    });
  });

  it('headers: readEvent restores properties and headers', async () => {
    const queue = await broker.queue('round-trip', {});
    const options = {
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      messageId: 'm-1',
      correlationId: 'c-1',
      replyTo: 'back-here',
      expiration: '60000',
      priority: 3,
      type: 'order',
      appId: 'till',
      timestamp: 1_700_000_000,
    };

    await broker.send(queue, { a: 'ü' }, { ...options, headers: { city: 'Zürich', n: 1 } });
    const { content, fields, properties } = await broker.take(queue);
    const event = toEvent({ ...source, queue }, [{ content, fields, properties }]);
    const [message] = readEvent(JSON.parse(JSON.stringify(event)) as RabbitMQEvent);
    expect(message).toStrictEqual({
      ...options,
      queue,
      vhost: '/',
      content: Buffer.from('{"a":"ü"}'),
      redelivered: false,
      userId: undefined,
      timestamp: new Date(1_700_000_000_000),
      exchange: '',
      routingKey: queue,
      attempt: 1,
      headers: { city: 'Zürich', n: 1, 'x-exchange': '', 'x-routing-key': queue },
    });
  });
});

describe('deeply nested headers', () => {
  const nest = (depth: number, inner: unknown): unknown => {
    let value = inner;
    for (let n = 0; n < depth; n += 1) value = n % 2 ? { t: value } : [value];
    return value;
  };
  const depthOf = (value: unknown): number => {
    let [depth, inner] = [0, value];
    for (; typeof inner === 'object' && inner !== null; depth += 1) [inner] = Object.values(inner);
    return depth;
  };

  it('nested headers: levels that are too deep become null, and the message can be sent on', () => {
    const fields = { exchange: '', routingKey: 'q', redelivered: false };
    const message = { content: Buffer.from('1'), fields, properties: { headers: { deep: nest(20_000, 1) } } };
    expect(encodedSize(message as unknown as ConsumeMessage)).toBeLessThan(10_000);
    const [read] = readEvent(toEvent(source, [message]));
    expect(depthOf(read?.headers['deep'])).toBe(100);
    expect(headerBytes('deep', read?.headers['deep'])).toBeLessThan(2000);
  });

  it('nested headers: levels that are too deep become null in a foreign event', () => {
    const headers = { deep: nest(20_000, { bytes: [49] }), fine: nest(90, { bytes: [49] }) };
    const basicProperties = { headers } as unknown as BasicProperties;
    const event = {
      ...sample,
      rmqMessagesByQueue: { 'q::/': [{ basicProperties, redelivered: false, data: '' }] },
    };
    const [read] = readEvent(event);
    expect(depthOf(read?.headers['deep'])).toBe(100);
    expect(read?.headers['fine']).toEqual(nest(90, '1'));
  });
});

describe('readEvent', () => {
  const readWith = (basicProperties: object) => {
    const event = {
      ...sample,
      rmqMessagesByQueue: { 'q::/': [{ basicProperties, redelivered: false, data: 'MQ==' }] },
    };
    const [message] = readEvent(event as unknown as RabbitMQEvent);
    return message;
  };

  it("readEvent: it reads AWS's sample", () => {
    expect(readEvent(sample)).toMatchObject([
      {
        queue: 'pizzaQueue',
        vhost: '/',
        headers: { header1: 'value1', header2: 'value2', numberInHeader: 10 },
        expiration: '60000',
        userId: 'AIDACKCEVSQ6C2EXAMPLE',
        timestamp: new Date(2_021_000),
        exchange: undefined,
        routingKey: undefined,
        attempt: 1,
      },
    ]);
    expect(readEvent(sample)[0]?.content.toString()).toBe('{"timeout":0,"data":"CZrmf0Gw8Ov4bqLQxD4E"}');
  });

  it('readEvent: headers may be null', () => {
    expect(readWith({ headers: null })?.headers).toEqual({});
  });

  it('readEvent: properties may be missing', () => {
    expect(readWith({})).toMatchObject({ contentType: undefined, messageId: undefined, attempt: 1 });
  });

  it('readEvent: an expiration may be a number', () => {
    expect(readWith({ expiration: 60_000 })?.expiration).toBe('60000');
  });

  it.each([
    [5, 5],
    ['5', 5],
    [0, 0],
    ['', undefined],
    [null, undefined],
    [256, undefined],
    [-1, undefined],
    [0.5, undefined],
    ['high', undefined],
  ])('readEvent: %j is the priority %s', (priority, read) => {
    expect(readWith({ priority })?.priority).toBe(read);
  });

  it('readEvent: a header may be a plain string', () => {
    expect(readWith({ headers: { 'x-routing-key': 'critical.cpu' } })?.routingKey).toBe('critical.cpu');
  });

  it('readEvent: attempts are counted over retries', () => {
    expect(readWith({ headers: { 'x-warren-attempts': 3 } })?.attempt).toBe(4);
    expect(readWith({ headers: { 'x-warren-attempts': { bytes: [0x33] } } })?.attempt).toBe(4);
  });

  it('readEvent: a header table with more than bytes stays a table', () => {
    expect(readWith({ headers: { table: { bytes: [65], more: 1 } } })?.headers['table']).toEqual({
      bytes: [65],
      more: 1,
    });
  });

  it.each([
    ['plain', 'q::/', 'q', '/'],
    ['with colons in the queue', 'a::b::prod', 'a::b', 'prod'],
    ['without a vhost', 'q', 'q', '/'],
  ])('readEvent: queue and vhost are read from a key that is %s', (_what, key, queue, vhost) => {
    const message = { basicProperties: first(sample).basicProperties, redelivered: true, data: '' };
    expect(readEvent({ ...sample, rmqMessagesByQueue: { [key]: [message] } })).toMatchObject([
      { queue, vhost, redelivered: true },
    ]);
  });
});
