import { describe, expect, it } from 'vitest';
import { identified, onLadder, timed } from '../../../runtime/amqp/delay.ts';
import type { OutgoingMessage } from '../../../runtime/amqp/outgoing.ts';
import { durationMs } from '../../../runtime/base/duration.ts';
import { delayLevels, delayUnitMs, maxDelayMs } from '../../../runtime/topology/delay-names.ts';

const now = Date.parse('2026-11-29T12:00:00Z');
const message = (given: Partial<OutgoingMessage>): OutgoingMessage => ({
  exchange: 'orders',
  routingKey: 'order.late',
  body: 1,
  ...given,
});
const problemOf = (given: object): string => {
  try {
    timed(message(given as Partial<OutgoingMessage>), now);
  } catch (error) {
    return String(error);
  }
  throw new Error('expected an error');
};
/** Milliseconds for which a message waits on the ladder. */
const waits = ({ headers = {} }: OutgoingMessage) =>
  Object.keys(headers)
    .flatMap((name) => /^x-warren-delay-(\d\d)$/.exec(name)?.[1] ?? [])
    .reduce((sum, level) => sum + delayUnitMs * 2 ** Number(level), 0);

describe('delays of messages', () => {
  it.each([
    ['3 days', 259_200_000],
    ['1 day', 86_400_000],
    ['1.5 hours', 5_400_000],
    ['90 seconds', 90_000],
    ['2 weeks', 1_209_600_000],
    ['250 milliseconds', 250],
    [1500, 1500],
    [0, 0],
  ])('duration: %s has its milliseconds', (text, ms) => {
    expect(durationMs('delay', text, maxDelayMs)).toBe(ms);
  });

  it.each([
    -1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    maxDelayMs + 1,
    '',
    '3days',
    '-1 day',
    '3 fortnights',
    '1e3 days',
    '777 days',
    '5',
  ])('delay: %s is refused by the name of the field', (delay) => {
    const got = typeof delay === 'string' ? JSON.stringify(delay) : String(delay);
    expect(problemOf({ delay })).toBe(
      `WarrenError: delay: expected milliseconds or a text such as "3 days", of at most 776 days, got ${got}`,
    );
  });

  it.each([
    [
      { deliverAt: new Date(Number.NaN) },
      'deliverAt: expected a Date of at most 776 days from now, got Invalid Date',
    ],
    [{ deliverAt: '2027-01-01' }, 'deliverAt: expected a Date of at most 776 days from now, got 2027-01-01'],
    [
      { deliverAt: new Date(now + maxDelayMs + 1) },
      'deliverAt: expected a Date of at most 776 days from now, got 2029-01-1',
    ],
    [{ delay: 1, deliverAt: new Date(now) }, 'deliverAt: expected none beside delay, got both'],
    [{ delay: 1, priority: 5 }, 'priority: expected none with a delay, got 5'],
    [{ delay: 1, expiration: -1 }, 'expiration: expected milliseconds from 0 to 4294967295, got -1'],
    [{ delay: 1, expiration: 1.5 }, 'expiration: expected milliseconds from 0 to 4294967295, got 1.5'],
    [
      { deliverAt: new Date(now + 1), expiration: 2 ** 32 },
      'expiration: expected milliseconds from 0 to 4294967295, got 4294967296',
    ],
    [{ delay: 1, table: Buffer.alloc(4) }, 'table: expected headers with a delay, got table'],
  ])('delay: %o is refused by the name of the field', (given, problem) => {
    expect(problemOf(given)).toContain(problem);
  });

  it('delay: a message waits for its delay, rounded up to 250 ms, on the levels of its bits', () => {
    for (const ms of [1, 249, 250, 251, 1000, 86_399_999, 2 ** 40 / 256, maxDelayMs]) {
      const waiting = waits(onLadder(timed(message({ delay: ms }), now), now));
      expect(waiting - ms).toBeGreaterThanOrEqual(0);
      expect(waiting - ms).toBeLessThan(delayUnitMs);
    }
    expect(Object.keys(onLadder(timed(message({ delay: maxDelayMs }), now), now).headers ?? {})).toHaveLength(
      delayLevels + 4,
    );
  });

  it('delay: each try of a publish has the same identifier, and another publish another one', () => {
    const idOf = (given: OutgoingMessage, at: number) => onLadder(given, at).headers?.['x-warren-copy'];
    const given = identified(timed(message({ delay: 10_000 }), now));
    const first = idOf(given, now);
    expect(first).toEqual(expect.any(String));
    expect([idOf(given, now + 4000), idOf(given, now + 20_000)]).toEqual([first, first]);
    expect(idOf(identified(timed(message({ delay: 10_000 }), now)), now)).not.toBe(first);
    expect(identified(message({})).headers).toBeUndefined();
  });

  it('delay: a second try waits only for the time that is left, and one after the due time goes to its destination', () => {
    const given = timed(message({ delay: '10 seconds', headers: { a: 1 } }), now);
    expect(waits(onLadder(given, now))).toBe(10_000);
    expect(waits(onLadder(given, now + 4000))).toBe(6000);
    const { delay, deliverAt, ...late } = onLadder(given, now + 10_000);
    expect([delay, deliverAt, late]).toEqual([undefined, undefined, message({ headers: { a: 1 } })]);
  });

  it('delay: a time in the past is now', () => {
    expect(onLadder(timed(message({ deliverAt: new Date(now - 1) }), now), now)).toMatchObject({
      exchange: 'orders',
    });
  });

  it('delay: a message keeps its routing key and its origin, and its expiration counts from its delivery', () => {
    expect(onLadder(timed(message({ delay: '1 minute', expiration: 5000 }), now), now)).toMatchObject({
      exchange: 'warren.delay.exchange.orders',
      routingKey: 'order.late',
      expiration: undefined,
      headers: {
        'x-warren-delay-to': 'exchange.orders',
        'x-warren-due-at': '2026-11-29T12:01:00.000Z',
        'x-warren-exchange': 'orders',
        'x-warren-routing-key': 'order.late',
        'x-warren-expiration': '5000',
        'x-warren-expires-at': '2026-11-29T12:01:05.000Z',
      },
    });
  });

  it('delay: headers of an earlier delay or death do not decide about this one', () => {
    const headers = {
      'x-warren-delay-27': true,
      'x-warren-delay-to': 'exchange.other',
      'x-death': [{ queue: 'q' }],
      'x-last-death-queue': 'q',
      kept: 1,
    };
    const { headers: sent } = onLadder(timed(message({ delay: 250, headers }), now), now);
    expect(sent).toMatchObject({
      'x-warren-delay-to': 'exchange.orders',
      'x-warren-death': [{ queue: 'q' }],
      kept: 1,
    });
    expect(Object.keys(sent ?? {})).not.toContain('x-warren-delay-27');
    expect(Object.keys(sent ?? {})).not.toContain('x-death');
    expect(Object.keys(sent ?? {})).not.toContain('x-last-death-queue');
  });
});
