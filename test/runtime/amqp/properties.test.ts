import { describe, expect, it } from 'vitest';
import { copiedProperties } from '../../../runtime/amqp/properties.ts';

describe('copiedProperties', () => {
  it('properties: a copy keeps those that do not change its delivery, and no others', () => {
    const copied = {
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      messageId: 'm-1',
      correlationId: 'c-1',
      replyTo: 'back',
      type: 'order',
      appId: 'till',
      priority: 2,
    };
    const own = { expiration: '500', userId: 'ann', deliveryMode: 1, timestamp: 1, headers: { a: 1 } };
    expect(copiedProperties({ ...copied, ...own })).toEqual(copied);
  });
});
