import { describe, expect, it } from 'vitest';
import { PublishRefusedError } from '../../../../runtime/amqp/publish-errors.ts';
import { RejectedError, RetryLaterError, UnavailableError } from '../../../../runtime/base/errors.ts';
import { isUnavailable } from '../../../../runtime/base/unavailable.ts';
import { FunctionFailedError } from '../../../../runtime/event-source/invoke.ts';
import { callError } from '../../../../runtime/hosts/isolation/ending.ts';
import { toSent } from '../../../../runtime/hosts/isolation/sent-error.ts';
import { failureOf } from '../../../../runtime/messages/plain-failures.ts';
import { delivery } from '../../../support/broker.ts';

const circle = new Error('circle');
circle.cause = circle;

describe('an error of a plain function in a process of its own', () => {
  const source = { queue: 'q', vhost: '/', arn: 'arn', policy: { delays: [1, 60], maxAge: 3600 } };
  const verdictOf = (error: Error) => {
    const { verdict, error: text, fault } = failureOf(source, delivery('1'), error);
    return { verdict, text, fault };
  };

  it.each([
    new RejectedError('never'),
    new RetryLaterError(30),
    new UnavailableError('database', 'down'),
    new UnavailableError('webhook', 'busy', { cause: new RetryLaterError(30) }),
    Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }),
    new Error('wrapped', { cause: Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }) }),
    new AggregateError([Object.assign(new Error('connect'), { code: 'ETIMEDOUT' })], 'all failed'),
    new PublishRefusedError(Object.assign(new Error('too large'), { code: 406 })),
    new PublishRefusedError(Object.assign(new Error('no exchange'), { code: 404 })),
    new TypeError('x is undefined'),
    circle,
  ])('%s leads to the verdict that it has in the process of the worker', (thrown) => {
    const failed = new FunctionFailedError(`f failed: ${thrown.message}`, { cause: thrown });
    // The channel between the processes carries a structured clone.
    const sent = structuredClone(toSent(failed));
    const received = callError('f', { error: sent, late: false });
    expect(verdictOf(received)).toEqual(verdictOf(failed));
    expect(isUnavailable(received)).toBe(isUnavailable(failed));
  });

  it.each([
    { name: { text: 'Bad' }, message: { field: ['is taken'] }, code: { n: 1 }, stack: { at: 1 } },
    { name: Object.create(null), message: () => 1, code: null, stack: 7 },
  ])(
    'an error whose fields are no texts arrives with their texts, and its message gets a verdict (case %#)',
    (fields) => {
      const thrown = Object.assign(new Error('failed'), fields);
      const failed = new FunctionFailedError('f failed', { cause: thrown });
      const received = callError('f', { error: structuredClone(toSent(failed)), late: false });
      const { name, message, stack } = received.cause as Error;
      expect([name, message, stack].map((each) => typeof each)).toEqual(['string', 'string', 'string']);
      expect(verdictOf(received)).toEqual(verdictOf(failed));
    },
  );

  it('a thrown object without a prototype arrives as its text', () => {
    const sent = toSent(Object.assign(Object.create(null), { status: 400 }));
    expect(sent.message).toContain('status: 400');
  });

  it('a thrown value that is no error arrives as its text', () => {
    const failed = new FunctionFailedError('f failed: no', { cause: 'no' });
    const received = callError('f', { error: structuredClone(toSent(failed)), late: false });
    expect(received.message).toBe('f failed: no');
    expect((received.cause as Error).message).toBe('no');
  });
});
