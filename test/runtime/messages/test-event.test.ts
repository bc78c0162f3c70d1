import { describe, expect, it } from 'vitest';
import { toEvent } from '../../../runtime/messages/event.ts';
import { readEvent } from '../../../runtime/messages/received.ts';
import { rabbitMQEvent, type TestMessage } from '../../../runtime/messages/test-event.ts';

const only = (message: TestMessage) => {
  const [received] = readEvent(rabbitMQEvent([message]));
  if (!received) throw new Error('no message in the event');
  return received;
};

describe('rabbitMQEvent', () => {
  it('test event: it equals the event that the event source builds for the same message', () => {
    const event = rabbitMQEvent(
      [
        {
          body: { a: 1 },
          exchange: 'alerts',
          routingKey: 'critical.disk',
          redelivered: true,
          headers: { n: 1, s: 'x', list: [true, 'y'] },
          messageId: 'm-1',
          correlationId: 'c-1',
          replyTo: 'answers',
          deliveryMode: 2,
          priority: 3,
          expiration: 60_000,
          timestamp: 2021,
          type: 't',
          userId: 'u',
          appId: 'app',
          contentEncoding: 'utf-8',
        },
      ],
      { arn: 'arn:aws:mq:eu-west-1:1:broker:b:b-1', queue: 'critical', vhost: 'prod' },
    );
    const delivery = {
      content: Buffer.from('{"a":1}'),
      fields: { exchange: 'alerts', routingKey: 'critical.disk', redelivered: true },
      properties: {
        contentType: 'application/json',
        contentEncoding: 'utf-8',
        headers: { n: 1, s: 'x', list: [true, 'y'] },
        messageId: 'm-1',
        correlationId: 'c-1',
        replyTo: 'answers',
        deliveryMode: 2,
        priority: 3,
        expiration: 60_000,
        timestamp: 2021,
        type: 't',
        userId: 'u',
        appId: 'app',
      },
    };
    const source = { arn: 'arn:aws:mq:eu-west-1:1:broker:b:b-1', queue: 'critical', vhost: 'prod' };
    expect(event).toStrictEqual(toEvent(source, [delivery]));
  });

  it('test event: only the body is required', () => {
    expect(rabbitMQEvent([{ body: 'disk full' }])).toMatchObject({
      eventSource: 'aws:rmq',
      eventSourceArn: expect.stringMatching(/^arn:aws:mq:/),
      rmqMessagesByQueue: {
        'test-queue::/': [{ redelivered: false, data: Buffer.from('"disk full"').toString('base64') }],
      },
    });
    expect(only({ body: null })).toMatchObject({
      content: Buffer.from('null'),
      contentType: 'application/json',
      exchange: '',
      routingKey: 'test-queue',
      attempt: 1,
    });
  });

  it('test event: messages are grouped by queue and vhost in their order', () => {
    const event = rabbitMQEvent(
      [
        { body: 1, queue: 'a' },
        { body: 2 },
        { body: 3, queue: 'a', vhost: 'prod' },
        { body: 4, queue: 'a' },
        { body: 5, queue: 'b' },
      ],
      { queue: 'b' },
    );
    const bodies = Object.entries(event.rmqMessagesByQueue).map(([source, messages]) => [
      source,
      messages.map(({ data }) => JSON.parse(Buffer.from(data, 'base64').toString())),
    ]);
    expect(bodies).toEqual([
      ['a::/', [1, 4]],
      ['b::/', [2, 5]],
      ['a::prod', [3]],
    ]);
  });

  it('test event: bytes are used unchanged and have no content type', () => {
    const content = Buffer.from([0xff, 0x00, 0x7b]);
    expect(only({ body: content })).toMatchObject({ content, contentType: undefined });
    expect(only({ body: content, contentType: 'image/jpeg' }).contentType).toBe('image/jpeg');
  });

  it('test event: undefined properties are left out', () => {
    expect(only({ body: {}, contentType: undefined, messageId: undefined })).toMatchObject({
      contentType: undefined,
      messageId: undefined,
    });
    expect(only({ body: undefined }).content).toHaveLength(0);
  });

  it('test event: a timestamp is a date or seconds', () => {
    const at = new Date('2026-11-23T16:00:00Z');
    expect(only({ body: 1, timestamp: at }).timestamp).toEqual(at);
    expect(only({ body: 1, timestamp: at.getTime() / 1000 }).timestamp).toEqual(at);
    expect(only({ body: 1 }).timestamp).toBeUndefined();
  });

  it('test event: it may have no messages', () => {
    expect(rabbitMQEvent([]).rmqMessagesByQueue).toEqual({});
  });
});
