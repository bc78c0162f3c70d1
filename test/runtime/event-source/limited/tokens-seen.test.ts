import type { ConsumeMessage } from 'amqplib';
import { describe, expect, it } from 'vitest';
import { TokensSeen } from '../../../../runtime/event-source/limited/tokens-seen.ts';

const token = (messageId: string, passes: number, redelivered = false) =>
  ({
    fields: { redelivered },
    properties: {
      messageId,
      headers: passes === 0 ? {} : { 'x-death': [{ count: passes }, { count: passes }] },
    },
  }) as unknown as ConsumeMessage;

describe('the tokens that were seen', () => {
  it('limit: a token that comes again as it was is doubled, except one that was returned', () => {
    const seen = new TokensSeen();
    expect(seen.isDouble(token('one', 0))).toBe(false);
    expect(seen.isDouble(token('one', 0, true))).toBe(false);
    expect(seen.isDouble(token('one', 1))).toBe(false);
    expect(seen.isDouble(token('two', 0))).toBe(false);
    expect(seen.isDouble(token('one', 1))).toBe(true);
    expect(seen.isDouble(token('one', 0))).toBe(true);
    expect(seen.isDouble(token('one', 2))).toBe(false);
  });
});
