import { describe, expect, it } from 'vitest';
import { onCalls, onMessages, RejectedError } from 'warren/functions';
import { invoke, rabbitMQEvent, recordingPublisher } from 'warren/testing';
import { z } from 'zod';

describe('recordingPublisher', () => {
  it('records messages in their order as they are, and returns an id for each', async () => {
    const { publish, published } = recordingPublisher();
    const first = await publish({ exchange: 'orders', routingKey: 'order.new', body: 1, messageId: 'm-1' });
    const second = await publish({ exchange: '', routingKey: 'orders', body: 2 });
    expect(first).toEqual({ messageId: 'm-1' });
    expect(second.messageId).toMatch(/^[\da-f-]{36}$/);
    expect(published).toEqual([
      { exchange: 'orders', routingKey: 'order.new', body: 1, messageId: 'm-1' },
      { exchange: '', routingKey: 'orders', body: 2 },
    ]);
  });

  it('refuses a delay that a publisher refuses, and records one that is fine as it was given', async () => {
    const { publish, published } = recordingPublisher();
    const message = { exchange: 'orders', routingKey: 'order.late', body: 1 };
    await expect(publish({ ...message, delay: '3 fortnights' as never })).rejects.toThrow('delay: expected');
    await publish({ ...message, delay: '3 days' });
    expect(published).toEqual([{ ...message, delay: '3 days' }]);
  });

  it('records nothing for a message that succeeds, and the copies of those that fail', async () => {
    const publisher = recordingPublisher();
    const handler = onMessages({ schema: z.string(), publisher }, async ({ body }) => {
      if (body === 'never') throw new RejectedError('body: never works');
      if (body === 'later') throw new Error('broken');
    });
    await invoke(handler, rabbitMQEvent([{ body: 'fine' }]));
    expect(publisher.published).toEqual([]);
    await invoke(handler, rabbitMQEvent([{ body: 'never' }, { body: 'later' }]));
    const copies = publisher.published.map(({ exchange, routingKey, headers }) => [
      exchange,
      routingKey,
      headers?.['x-warren-error'],
    ]);
    expect(copies).toEqual([
      ['warren.dead', 'test-queue', expect.stringContaining('body: never works')],
      ['warren.retry', 'test-queue.retry.1s', expect.stringContaining('broken')],
    ]);
  });

  it('records the reply of a method', async () => {
    const publisher = recordingPublisher();
    const handler = onCalls({ schema: z.string(), publisher }, async ({ body }) => body.length);
    await invoke(handler, rabbitMQEvent([{ body: 'four', replyTo: 'answers', correlationId: 'c-1' }]));
    expect(publisher.published).toMatchObject([
      { exchange: '', routingKey: 'answers', correlationId: 'c-1', body: Buffer.from('4') },
    ]);
  });
});
