import { describe, expect, it } from 'vitest';
import { isSuspect } from '../../../../runtime/hosts/isolation/suspect.ts';
import { rabbitMQEvent } from '../../../../runtime/testing.ts';

describe('a message that may have ended a process', () => {
  const event = (...messages: { redelivered?: boolean; headers?: Record<string, unknown> }[]) =>
    rabbitMQEvent(messages.map((each) => ({ body: {}, ...each })));

  it.each([
    ['a first delivery', [{}], false],
    [
      'one return, which a lost connection explains',
      [{ redelivered: true, headers: { 'x-delivery-count': 1 } }],
      false,
    ],
    ['two returns', [{ redelivered: true, headers: { 'x-delivery-count': 2 } }], true],
    [
      'a return for a retry, which RabbitMQ 4.3 counts in another header',
      [{ redelivered: true, headers: { 'x-acquired-count': 3 } }],
      false,
    ],
    ['a return to a classic queue, which does not count', [{ redelivered: true }], true],
    ['a count that came with a first delivery', [{ headers: { 'x-delivery-count': 5 } }], false],
    ['one suspect among others', [{}, { redelivered: true, headers: { 'x-delivery-count': 2 } }], true],
  ])('%s', (_, messages, suspect) => {
    expect(isSuspect(event(...messages))).toBe(suspect);
  });
});
