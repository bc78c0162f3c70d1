import { describe, expect, it } from 'vitest';
import { UnavailableError } from '../../../runtime/base/errors.ts';
import { failedCopy } from '../../../runtime/messages/failed-copy.ts';
import type { Verdict } from '../../../runtime/messages/failure-policy.ts';
import { received, returned } from '../../support/received.ts';

const start = new Date('2026-01-01T00:00:00Z');
const later = (seconds: number) => new Date(start.getTime() + seconds * 1000);

const retry: Verdict = { to: 'retry', seconds: 1 };
const rejected: Verdict = { to: 'dead-letters', reason: 'rejected' };
const away = new UnavailableError('database', 'the database is away');
const bug = new TypeError('x is not a function');

describe('failedCopy', () => {
  it('failed copy: it goes to a retry queue of its queue, or to the dead letters with the name of its queue', () => {
    expect(failedCopy(received(), retry, bug, start)).toMatchObject({
      exchange: 'warren.retry',
      routingKey: 'q.retry.1s',
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

  it.each(['soon', '1e300', '-1', Buffer.from('x'), null])(
    'failed copy: an expiration %j that another program wrote into the header gives no end',
    (value) => {
      const { headers } = failedCopy(
        received({ headers: { 'x-warren-expiration': value } }),
        retry,
        bug,
        start,
      );
      expect(headers).not.toHaveProperty('x-warren-expires-at');
    },
  );

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
      'x-warren-expires-at': new Date(start.getTime() + 1000).toISOString(),
      'x-warren-user-id': 'alert_user',
      'x-warren-exchange': 'alerts',
      'x-warren-routing-key': 'critical.cpu',
      'x-warren-queue': 'q',
      'x-warren-copy': expect.stringMatching(/^[0-9a-f-]{36}$/),
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
    const again = returned(first);
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
