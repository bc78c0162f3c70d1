import { describe, expect, it } from 'vitest';
import { recordingPublisher } from 'warren/testing';
import { BrokerConnection } from '../../../runtime/amqp/connection.ts';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { Requester } from '../../../runtime/amqp/requester.ts';
import { RpcClient } from '../../../runtime/amqp/rpc-client.ts';
import { checkNumbers } from '../../../runtime/base/numbers.ts';
import { withClaims } from '../../../runtime/claims/publisher.ts';
import { s3Claims } from '../../../runtime/claims/s3.ts';
import { Effects } from '../../../runtime/effects/effects.ts';
import { underLease } from '../../../runtime/effects/lease.ts';
import { createLongPoll } from '../../../runtime/hosts/long-poll.ts';
import { bodyLimitOf } from '../../../runtime/http/body-limit.ts';
import { publicFunction } from '../../../runtime/http/function.ts';
import { onBatch } from '../../../runtime/messages/on-batch.ts';
import { onMessages } from '../../../runtime/messages/on-messages.ts';

// Nothing listens there: a wrong number is refused before anything is sent.
const broker = { url: 'amqp://127.0.0.1:1', name: 'numbers' };
const message = { exchange: '', routingKey: 'q', body: 1 };
const publisher = recordingPublisher();
const nothing = async () => undefined;
const never = () => Promise.reject(new Error('the database was asked'));
const database = { run: never, transaction: never } as never;
const effects = () => new Effects({ database, publisher });
const store = { take: never, giveBack: never, record: never };

/** What takes a number, by the name of the option and the least that is right. */
const takers: readonly [name: string, least: number, take: (value: number) => unknown][] = [
  ['connectTimeoutMs', 1, (value) => new BrokerConnection({ ...broker, connectTimeoutMs: value })],
  ['heartbeat', 0, (value) => new BrokerConnection({ ...broker, heartbeat: value })],
  ['deadlineMs', 1, (value) => new Publisher({ ...broker, deadlineMs: value })],
  ['tries', 1, (value) => new Publisher({ ...broker, tries: value as 1 })],
  ['expiration', 0, (value) => new Publisher(broker).publish({ ...message, expiration: value })],
  ['patienceMs', 0, (value) => new Publisher(broker).publish({ ...message, patienceMs: value })],
  ['answerMs', 1, (value) => new RpcClient({ ...broker, answerMs: value })],
  ['silentMs', 0, (value) => new RpcClient({ ...broker, silentMs: value })],
  ['maxReplyBytes', 1, (value) => new RpcClient(broker).call('m', 1, { maxReplyBytes: value })],
  ['limit', 1, (value) => effects().relay({ limit: value })],
  ['days', 0, (value) => effects().cleanUp({ days: value })],
  ['timeoutMs', 0, (value) => underLease(store, nothing, { timeoutMs: value })],
  ['leaseMs', 0, (value) => underLease(store, nothing, { leaseMs: value })],
  ['maxBytes', 0, (value) => publicFunction({ maxBytes: value }, async () => ({}))],
  ['maxBytes', 0, (value) => bodyLimitOf({ maxBytes: () => value })],
  ['aboveBytes', 0, (value) => withClaims(publisher, { claims: {} as never, aboveBytes: value })],
  ['timeoutMs', 1, (value) => s3Claims({ s3: {} as never, bucket: 'b', timeoutMs: value })],
  ['idleMs', 0, (value) => createLongPoll({ ...broker, mappings: [], invoke: () => never, idleMs: value })],
  [
    'reserveMs',
    0,
    (value) => createLongPoll({ ...broker, mappings: [], invoke: () => never, reserveMs: value }),
  ],
  ['policy.maxAge', 0, (value) => onMessages({ publisher, policy: { maxAge: value } }, nothing)],
  ['policy.delays.1', 0, (value) => onBatch({ publisher, policy: { delays: [1, value] } }, nothing)],
];

describe('numbers among options', () => {
  it.each(takers)(
    'numbers: %s of less than %s, or that is no number, is refused',
    async (name, least, take) => {
      for (const wrong of [Number.NaN, least - 1, '5' as unknown as number]) {
        const taken = async () => take(wrong);
        await expect(taken(), `${wrong}`).rejects.toMatchObject({
          code: 'ERR_CONFIG',
          message: expect.stringMatching(new RegExp(`^${name}: expected .*, got "?${wrong}"?$`)),
        });
      }
    },
  );

  it.each([
    ['timeoutMs', (value: number) => new RpcClient(broker).call('m', 1, { timeoutMs: value })],
    ['waitMs', (value: number) => new Requester(broker).publish(message, { waitMs: value })],
  ] as const)('numbers: %s that is left of a time may be negative, and is a number', async (name, take) => {
    for (const wrong of [Number.NaN, '5' as unknown as number]) {
      const text = expect.stringMatching(
        new RegExp(`^${name}: expected a number of at least 0, got "?${wrong}"?$`),
      );
      await expect(take(wrong)).rejects.toMatchObject({ code: 'ERR_CONFIG', message: text });
    }
    // As with 0, of which the broker that is not there is the reason.
    await expect(take(-5)).rejects.toMatchObject({ code: 'ERR_UNAVAILABLE' });
  });

  it('numbers: a fraction is refused where a timer of Node takes none', async () => {
    const refused = {
      code: 'ERR_CONFIG',
      message: 'timeoutMs: expected a whole number of at least 0, got 1.5',
    };
    await expect(underLease(store, nothing, { timeoutMs: 1.5 })).rejects.toMatchObject(refused);
    expect(() => s3Claims({ s3: {} as never, bucket: 'b', timeoutMs: 1.5 })).toThrow('whole number');
  });

  it('numbers: each wrong one is named, and a fraction and Infinity are right where they mean something', () => {
    const rules = {
      count: { least: 1, whole: true },
      ms: { least: 0 },
      bytes: { least: 1, unlimited: true },
    } as const;
    const check = (options: object) => () => checkNumbers(options, rules);
    expect(check({ count: 1.5, ms: Number.POSITIVE_INFINITY, bytes: null })).toThrow(
      [
        'count: expected a whole number of at least 1, got 1.5',
        'ms: expected a number of at least 0, got Infinity',
        'bytes: expected a number of at least 1, got null',
      ].join('\n'),
    );
    expect(check({ count: 1, ms: 0.5, bytes: Number.POSITIVE_INFINITY })).not.toThrow();
    expect(check({ count: undefined })).not.toThrow();
  });
});
