import { describe, expect, it } from 'vitest';
import { RejectedError, UnavailableError } from '../../../runtime/base/errors.ts';
import { failedCopy } from '../../../runtime/messages/failed-copy.ts';
import { decide, defaultFailurePolicy, type Verdict } from '../../../runtime/messages/failure-policy.ts';
import type { ReceivedMessage } from '../../../runtime/messages/received.ts';

const start = new Date('2026-01-01T00:00:00Z');
const later = (seconds: number) => new Date(start.getTime() + seconds * 1000);

const received = (given: Partial<ReceivedMessage> = {}): ReceivedMessage => ({
  queue: 'q',
  vhost: '/',
  content: Buffer.from('1'),
  headers: {},
  redelivered: false,
  attempt: 1,
  ...given,
});

const retry: Verdict = { to: 'retry', seconds: 1 };
const rejected: Verdict = { to: 'dead-letters', reason: 'rejected' };
const away = new UnavailableError('database', 'the database is away');
const bug = new TypeError('x is not a function');

/** The message that arrives when the copy returns: its headers, and one attempt more. */
const home = (copy: ReturnType<typeof failedCopy>): ReceivedMessage => {
  const headers = copy.headers ?? {};
  return received({ headers, attempt: Number(headers['x-warren-attempts']) + 1 });
};

/** Fails a message until it is dead-lettered, each time with the next error; the last one is repeated. */
const fate = (...errors: unknown[]): { delays: number[]; end: Verdict; hours: number } => {
  let message = received();
  let now = start;
  const delays: number[] = [];
  for (let attempt = 0; ; attempt += 1) {
    const error = errors[Math.min(attempt, errors.length - 1)];
    const verdict = decide(error, message, now, defaultFailurePolicy);
    if (verdict.to === 'dead-letters') {
      return { delays, end: verdict, hours: (now.getTime() - start.getTime()) / 3_600_000 };
    }
    delays.push(verdict.seconds);
    message = home(failedCopy(message, verdict, error, now));
    now = new Date(now.getTime() + verdict.seconds * 1000);
  }
};

describe('decide', () => {
  it('decide: a RejectedError is dead-lettered at once', () => {
    expect(fate(new RejectedError('no picture'))).toMatchObject({ delays: [], end: rejected });
  });

  it('decide: an unavailable dependency is retried for a day: 1 s, 10 s, 1 min, then every 10 min', () => {
    const { delays, end, hours } = fate(away);
    expect(delays.slice(0, 6)).toEqual([1, 10, 60, 600, 600, 600]);
    expect(new Set(delays.slice(3))).toEqual(new Set([600]));
    expect(end).toEqual({ to: 'dead-letters', reason: 'too-old' });
    expect(hours).toBeGreaterThanOrEqual(24);
    expect(hours).toBeLessThan(24.2);
  });

  it('decide: a network error is an unavailable dependency, wrapped or not', () => {
    const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
    const wrapped = new Error('query failed', { cause: new AggregateError([refused]) });
    for (const error of [refused, wrapped]) {
      expect(fate(error).end).toEqual({ to: 'dead-letters', reason: 'too-old' });
    }
  });

  it('decide: any other error is retried after each delay once, then dead-lettered', () => {
    for (const error of [bug, 'a string', undefined]) {
      expect(fate(error)).toMatchObject({
        delays: [1, 10, 60, 600],
        end: { to: 'dead-letters', reason: 'exhausted' },
      });
    }
  });

  it('decide: retries for a dependency do not count as faults', () => {
    const { delays, end } = fate(away, away, away, away, away, bug);
    expect(delays).toEqual([1, 10, 60, 600, 600, 1, 10, 60, 600]);
    expect(end).toEqual({ to: 'dead-letters', reason: 'exhausted' });
  });

  it('decide: it follows the delays and the maximum age of the policy', () => {
    const policy = { delays: [2, 5], maxAge: 60 };
    expect(decide(bug, received(), start, policy)).toEqual({ to: 'retry', seconds: 2 });
    const third = received({ attempt: 3, headers: { 'x-warren-faults': 2 } });
    expect(decide(bug, third, start, policy)).toEqual({ to: 'dead-letters', reason: 'exhausted' });
    expect(decide(away, third, start, policy)).toEqual({ to: 'retry', seconds: 5 });
    const old = received({ headers: { 'x-warren-first-failed-at': start.toISOString() } });
    expect(decide(away, old, later(59), policy)).toEqual({ to: 'retry', seconds: 2 });
    expect(decide(away, old, later(60), policy)).toEqual({ to: 'dead-letters', reason: 'too-old' });
  });

  it('decide: the age counts from now if the first failure is unreadable', () => {
    const message = received({ headers: { 'x-warren-first-failed-at': 'long ago' } });
    expect(decide(away, message, start, defaultFailurePolicy)).toEqual(retry);
  });
});

describe('failedCopy', () => {
  it('failed copy: it goes to the retry exchange or to the dead letters with the name of its queue', () => {
    expect(failedCopy(received(), retry, bug, start)).toMatchObject({
      exchange: 'warren.retry.1s',
      routingKey: 'q',
    });
    expect(failedCopy(received(), rejected, bug, start)).toMatchObject({
      exchange: 'warren.dead',
      routingKey: 'q',
    });
  });

  it('failed copy: body and harmless properties are unchanged', () => {
    const given = {
      content: Buffer.from([0, 1, 255]),
      contentType: 'application/x-own',
      contentEncoding: 'gzip',
      messageId: 'm-1',
      correlationId: 'c-1',
      replyTo: 'back',
      type: 'order',
      appId: 'till',
      priority: 2,
    };
    const { content, ...properties } = given;
    const copy = failedCopy(received({ ...given, timestamp: new Date(2_021_900) }), retry, bug, start);
    expect(copy).toMatchObject({ ...properties, body: content, timestamp: 2021 });
  });

  it('failed copy: properties and headers that would change its delivery move to x-warren headers', () => {
    const death = [{ queue: 'q', reason: 'expired', count: 1 }];
    const copy = failedCopy(
      received({
        expiration: '1000',
        userId: 'alert_user',
        exchange: 'alerts',
        routingKey: 'critical.cpu',
        headers: {
          CC: ['other'],
          BCC: ['secret'],
          'x-death': death,
          'x-first-death-queue': 'q',
          'x-first-death-reason': 'expired',
          'x-first-death-exchange': 'alerts',
          'x-last-death-queue': 'q',
          'x-delivery-count': 3,
          'x-exchange': 'alerts',
          city: 'Zürich',
        },
      }),
      retry,
      bug,
      start,
    );
    expect(copy.expiration).toBeUndefined();
    expect(copy).not.toHaveProperty('userId');
    expect(copy.headers).toEqual({
      city: 'Zürich',
      'x-warren-cc': ['other'],
      'x-warren-bcc': ['secret'],
      'x-warren-death': death,
      'x-warren-first-death-queue': 'q',
      'x-warren-first-death-reason': 'expired',
      'x-warren-first-death-exchange': 'alerts',
      'x-warren-expiration': '1000',
      'x-warren-user-id': 'alert_user',
      'x-warren-exchange': 'alerts',
      'x-warren-routing-key': 'critical.cpu',
      'x-warren-queue': 'q',
      'x-warren-attempts': 1,
      'x-warren-faults': 1,
      'x-warren-first-failed-at': start.toISOString(),
      'x-warren-last-failed-at': start.toISOString(),
      'x-warren-error': 'TypeError: x is not a function',
    });
  });

  it('failed copy: later failures keep the first origin and the first death', () => {
    const first = failedCopy(
      received({ exchange: 'alerts', headers: { 'x-death': ['first'] } }),
      retry,
      bug,
      start,
    );
    const again = home(first);
    again.headers['x-death'] = ['our retry queue'];
    const second = failedCopy({ ...again, exchange: '' }, retry, away, later(1));
    expect(second.headers).toMatchObject({
      'x-warren-exchange': 'alerts',
      'x-warren-death': ['first'],
      'x-warren-attempts': 2,
      'x-warren-faults': 1,
      'x-warren-first-failed-at': start.toISOString(),
      'x-warren-last-failed-at': later(1).toISOString(),
    });
    expect(second.headers).not.toHaveProperty('x-death');
  });

  it('failed copy: only a dead letter has a reason', () => {
    expect(failedCopy(received(), retry, bug, start).headers).not.toHaveProperty('x-warren-reason');
    expect(failedCopy(received(), rejected, bug, start).headers).toMatchObject({
      'x-warren-reason': 'rejected',
    });
  });

  it('failed copy: an error that does not fit into a header is cut', () => {
    const copy = failedCopy(received(), retry, new Error('x'.repeat(100_000)), start);
    expect(String(copy.headers?.['x-warren-error'])).toHaveLength(1000);
  });
});
