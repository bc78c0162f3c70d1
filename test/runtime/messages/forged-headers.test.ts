/** Headers that another program has written in any form harm neither their own message nor another one. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { BrokerConnection } from '../../../runtime/amqp/connection.ts';
import { joinTable } from '../../../runtime/amqp/field-table.ts';
import * as headers from '../../../runtime/amqp/headers.ts';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { withRawHeaders } from '../../../runtime/amqp/raw-headers.ts';
import { RejectedError } from '../../../runtime/base/errors.ts';
import { silentLog } from '../../../runtime/base/log.ts';
import { listDeadLetters } from '../../../runtime/dead-letters/dead-letters.ts';
import { replayDeadLetters } from '../../../runtime/dead-letters/replay.ts';
import { encodedSize } from '../../../runtime/event-source/encoded-size.ts';
import { EventSource } from '../../../runtime/event-source/event-source.ts';
import { rawFields, type TypedField } from '../../../runtime/fixtures/typed-fields.ts';
import { exemplarLabels } from '../../../runtime/hosts/exemplar.ts';
import { inProcess } from '../../../runtime/hosts/in-process.ts';
import { toEvent } from '../../../runtime/messages/event.ts';
import { callerDeadline, expiryOf, isExpired } from '../../../runtime/messages/expiration.ts';
import { failedCopy } from '../../../runtime/messages/failed-copy.ts';
import { decide, defaultFailurePolicy } from '../../../runtime/messages/failure-policy.ts';
import { onMessages } from '../../../runtime/messages/on-messages.ts';
import { readEvent } from '../../../runtime/messages/received.ts';
import { delivery } from '../../support/broker.ts';
import { openVhost, type TestVhost } from '../../support/vhost.ts';

const names: string[] = [
  ...Object.values(headers).flatMap((each) =>
    typeof each === 'string' && !each.endsWith('-') ? [each] : [],
  ),
  ...['traceparent', 'x-delivery-count', 'x-acquired-count', 'x-own'],
];
const forged: Record<string, TypedField> = {
  'a table with a field toString': { F: { toString: 'a' } },
  'a list of such tables': { A: [{ F: { toString: 1, valueOf: 1 } }] },
  'a table that looks like a decimal': { F: { '!': 'decimal', value: null } },
  'a table that looks like a time': { F: { '!': 'timestamp', value: { F: { toString: 1 } } } },
  'a table that looks like bytes': { F: { bytes: { A: ['x', { F: { toString: 1 } }] } } },
  'a number that is none': { d: 'NaN' },
  'a text that is no number and no time': 'soon',
};

const decoded: Record<string, unknown> = {
  ...Object.fromEntries(Object.entries(forged).map(([title, value]) => [title, plain(value)])),
  'a number that is none': Number.NaN,
};
/** A typed field as amqplib decodes it. */
function plain(field: TypedField): unknown {
  if (typeof field !== 'object' || field === null) return field;
  const [[tag, value] = []] = Object.entries(field);
  if (tag === 'A') return (value as TypedField[]).map(plain);
  if (tag !== 'F') return value;
  return Object.fromEntries(Object.entries(value as object).map(([name, each]) => [name, plain(each)]));
}

describe.each(Object.entries(decoded))('%s', (_title, value) => {
  it.each(names)('forged: as the header %s, it is read, copied and dead-lettered like any other', (name) => {
    const source = { arn: 'a', queue: 'q', vhost: '/' };
    const given = delivery('{}', { properties: { headers: { [name]: value } } });
    const event = toEvent(source, [given]);
    expect(encodedSize(given)).toBeGreaterThan(0);
    for (const each of [event, JSON.parse(JSON.stringify(event))]) {
      const [message] = readEvent(each);
      if (!message) throw new Error('no message in the event');
      expect(message.attempt).toBe(1);
      expect(isExpired(message)).toBe(false);
      expect(callerDeadline(message, 1)).toBe(Number.POSITIVE_INFINITY);
      expect(expiryOf(message)).toBeUndefined();
      expect(expiryOf({ ...message, expiration: '5' }, new Date(0))).toSatisfy(
        (at: unknown) => at === undefined || at === '1970-01-01T00:00:00.005Z',
      );
      const now = new Date();
      const verdict = decide(new Error('later'), message, now, defaultFailurePolicy);
      expect(verdict).toEqual({ to: 'retry', seconds: 1 });
      expect(failedCopy(message, verdict, new Error('later'), now).headers).toMatchObject({
        'x-warren-attempts': 1,
        'x-warren-first-failed-at': now.toISOString(),
      });
    }
    expect(exemplarLabels({ [name]: value })).toEqual({});
  });
});

describe('on a broker', () => {
  let vhost: TestVhost;
  let connection: BrokerConnection;
  beforeAll(async () => {
    vhost = await openVhost({ queues: { work: {} } });
    connection = new BrokerConnection({ url: vhost.url, name: 'forged' });
  });
  afterAll(async () => {
    await connection.close();
    await vhost.close();
  });

  // The broker itself refuses a number that is none.
  const sent = Object.entries(forged).filter(
    ([, value]) => !(typeof value === 'object' && value && 'd' in value),
  );

  it('forged: such messages are called and dead-lettered with their reason, and those beside them are done', async () => {
    const channel = await connection.confirmChannel();
    const send = (id: string, fields: Record<string, TypedField>) =>
      withRawHeaders(channel, joinTable(rawFields(fields)), () =>
        channel.publish('', 'work', Buffer.from('{}'), { messageId: id, headers: {}, persistent: true }),
      );
    for (const [title, value] of sent) {
      // The broker counts deliveries in a header of its own, and a message with a claim has another body.
      const some = names.filter((name) => name !== 'x-delivery-count' && name !== headers.claimHeader);
      send(title, Object.fromEntries(some.map((name) => [name, value])));
    }
    send('innocent', {});
    await channel.waitForConfirms();
    const publisher = new Publisher({ url: vhost.url, name: 'forged' });
    const calls: string[] = [];
    const handler = onMessages(
      { schema: z.unknown(), publisher, log: silentLog },
      async ({ messageId = '' }) => {
        calls.push(messageId);
        if (messageId !== 'innocent') throw new RejectedError('forged');
      },
    );
    const mapping = { functionName: 'f', queue: 'work', vhost: '/', arn: 'a', batchSize: 10, windowMs: 0 };
    const source = new EventSource({
      url: vhost.url,
      mappings: [mapping],
      invoke: () => inProcess({ functionName: 'f', load: async () => handler as never, timeoutMs: 60_000 }),
      log: silentLog,
    });
    await source.start();
    const titles = sent.map(([title]) => title);
    const letters = () => listDeadLetters(vhost.url);
    await expect
      .poll(async () => (await letters()).map(({ id }) => id).sort(), { timeout: 30_000 })
      .toEqual([...titles].sort());
    await expect.poll(() => calls.includes('innocent'), { timeout: 30_000 }).toBe(true);
    await source.stop();
    expect(calls.sort()).toEqual([...titles, 'innocent'].sort());
    for (const { reason, queue, error } of await letters()) {
      expect({ reason, queue, error }).toEqual({
        reason: 'rejected',
        queue: 'work',
        error: 'RejectedError: forged',
      });
    }
    expect((await replayDeadLetters(vhost.url)).replayed).toHaveLength(titles.length);
    expect(await vhost.count('work')).toBe(titles.length);
    await publisher.close();
  });
});
