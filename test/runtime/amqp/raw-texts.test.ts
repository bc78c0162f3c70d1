/** Texts whose bytes are not UTF-8, as they leave and arrive. */
import type { ConfirmChannel } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BrokerConnection } from '../../../runtime/amqp/connection.ts';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { openBroker, type TestBroker } from '../../support/broker.ts';
import { stack } from '../../support/stack.ts';

describe('raw texts', () => {
  let broker: TestBroker;
  let connection: BrokerConnection;
  let channel: ConfirmChannel;
  const publisher = new Publisher({ url: stack.AMQP_URL, name: 'raw texts' });
  beforeAll(async () => {
    broker = await openBroker();
    connection = new BrokerConnection({ url: stack.AMQP_URL, name: 'raw texts' });
    channel = await connection.confirmChannel();
  });
  afterAll(async () => {
    await publisher.close();
    await connection.close();
    await broker.close();
  });

  /** Publishes texts, and returns those that arrive. */
  const pass = async (texts: Record<string, string>, headers: Record<string, unknown> = {}) => {
    const queue = await broker.queue('texts', {});
    await publisher.publish({ exchange: '', routingKey: queue, body: 1, ...texts, headers });
    const message = await channel.get(queue, { noAck: true });
    if (!message) throw new Error('nothing arrived');
    return message.properties;
  };
  /** Each byte beyond ASCII as a lone surrogate, as in Python's PEP 383. */
  const escaped = (...bytes: number[]) =>
    bytes.map((byte) => String.fromCharCode(byte < 0x80 ? byte : 0xdc00 + byte)).join('');

  it('raw texts: bytes that are not UTF-8 arrive as they were sent, in every text of a copy', async () => {
    const texts = {
      correlationId: escaped(0xff, 0x00, 0x80, 0x61),
      messageId: escaped(0xe9, 0x74, 0xe9),
      type: escaped(0xc3, 0x28),
      appId: escaped(...Array.from({ length: 255 }, () => 0xfe)),
      contentType: escaped(0xa0),
      contentEncoding: escaped(0xa1),
      replyTo: escaped(0xf0, 0x9f),
    };
    expect(await pass(texts, { own: 'yes' })).toMatchObject({
      ...texts,
      headers: { own: 'yes' },
      deliveryMode: 2,
    });
  });

  it('raw texts: two ids that differ in bytes that are not UTF-8 differ', async () => {
    const ids = [escaped(0xff, 0x31), escaped(0xfe, 0x31)];
    const arrived = await Promise.all(ids.map((messageId) => pass({ messageId })));
    expect(arrived.map(({ messageId }) => messageId as string)).toEqual(ids);
  });

  it('raw texts: UTF-8, and a replacement character in it, is left alone', async () => {
    const texts = { correlationId: 'été \u{1f436} \ufffd', messageId: 'plain', type: '' };
    expect(await pass(texts)).toMatchObject(texts);
  });

  it('raw texts: a lone surrogate that stands for no byte becomes a replacement character', async () => {
    expect(await pass({ correlationId: 'a\ud800b' })).toMatchObject({ correlationId: 'a\ufffdb' });
  });
});
