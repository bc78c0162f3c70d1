import { describe, expect, it } from 'vitest';
import {
  retry as askRetry,
  RejectedError,
  RetryLaterError,
  UnavailableError,
} from '../../../runtime/base/errors.ts';
import { failedCopy } from '../../../runtime/messages/failed-copy.ts';
import {
  decide,
  defaultFailurePolicy,
  firstFailure,
  type Verdict,
} from '../../../runtime/messages/failure-policy.ts';
import { received, returned } from '../../support/received.ts';

const start = new Date('2026-01-01T00:00:00Z');
const later = (seconds: number) => new Date(start.getTime() + seconds * 1000);

const retry: Verdict = { to: 'retry', seconds: 1 };
const rejected: Verdict = { to: 'dead-letters', reason: 'rejected' };
const away = new UnavailableError('database', 'the database is away');
const bug = new TypeError('x is not a function');

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
    message = returned(failedCopy(message, verdict, error, now));
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

  it('decide: a first failure that is ahead of the clock counts from now', () => {
    const message = received({ headers: { 'x-warren-first-failed-at': later(86_400).toISOString() } });
    expect(firstFailure(message, start)).toEqual(start);
    expect(decide(away, message, start, defaultFailurePolicy)).toEqual(retry);
  });

  it('decide: the age counts from now if the first failure is unreadable', () => {
    const message = received({ headers: { 'x-warren-first-failed-at': 'long ago' } });
    expect(decide(away, message, start, defaultFailurePolicy)).toEqual(retry);
  });

  it.each([
    [0, 1],
    [1, 1],
    [2, 10],
    [60, 60],
    [61, 600],
    [86_400, 600],
    [Number.NaN, 1],
    [-5, 1],
    [new Date(Date.now() + 30_000), 60],
    [new Date('never'), 1],
  ])('decide: RetryLaterError(%s) takes the shortest delay that is not below it: %s s', (after, seconds) => {
    const error = new RetryLaterError(after);
    expect(decide(error, received(), start, defaultFailurePolicy)).toEqual({ to: 'retry', seconds });
    const wrapped = Object.assign(new Error('later'), { code: 'ERR_RETRY_LATER', seconds: error.seconds });
    expect(decide(wrapped, received(), start, defaultFailurePolicy)).toEqual({ to: 'retry', seconds });
    const caused = new UnavailableError('api', 'busy', { cause: error });
    expect(decide(caused, received(), start, defaultFailurePolicy)).toEqual({ to: 'retry', seconds });
  });

  it('decide: a retry that the handler asked for is no fault, and ends after a day', () => {
    const { delays, end } = fate(new RetryLaterError(45));
    expect(new Set(delays)).toEqual(new Set([60]));
    expect(end).toEqual({ to: 'dead-letters', reason: 'too-old' });
    expect(fate(new RetryLaterError(45), new RetryLaterError(1), bug).delays).toEqual([
      60, 1, 1, 10, 60, 600,
    ]);
    expect(() => askRetry(7, 'slow down')).toThrow(
      expect.objectContaining({ seconds: 7, message: 'slow down' }),
    );
  });
});
