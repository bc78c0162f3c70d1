import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import type { OutgoingMessage } from '../../../runtime/amqp/outgoing.ts';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { RejectedError, UnavailableError } from '../../../runtime/base/errors.ts';
import { silentLog } from '../../../runtime/base/log.ts';
import { isUnavailable } from '../../../runtime/base/unavailable.ts';
import { withClaims } from '../../../runtime/claims/publisher.ts';
import { s3Claims } from '../../../runtime/claims/s3.ts';
import type { Claim } from '../../../runtime/claims/store.ts';
import { listDeadLetters } from '../../../runtime/dead-letters/dead-letters.ts';
import { replayDeadLetters } from '../../../runtime/dead-letters/replay.ts';
import { Effects } from '../../../runtime/effects/effects.ts';
import { inProcess } from '../../../runtime/hosts/in-process.ts';
import { lambdaInvoke } from '../../../runtime/hosts/lambda.ts';
import { type RabbitMQEvent, toEvent } from '../../../runtime/messages/event.ts';
import { onBatch } from '../../../runtime/messages/on-batch.ts';
import { onMessages } from '../../../runtime/messages/on-messages.ts';
import { recordingPublisher } from '../../../runtime/testing/recording-publisher.ts';
import { openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { effectsDatabase } from '../../support/effects.ts';
import { messageEvent } from '../../support/events.ts';
import { feeding, patience } from '../../support/feeding.ts';
import { lambdaApi } from '../../support/lambda-api.ts';
import { testS3 } from '../../support/s3.ts';
import { stack } from '../../support/stack.ts';

const { S3_BUCKET: bucket } = stack;
const prefix = `${unique('claims')}/`;
const claims = s3Claims({ s3: testS3(), bucket, prefix });
const schema = z.object({ text: z.string() });
/** Nine megabytes: more than Lambda's event holds. */
const large = { text: 'ä'.repeat(4_500_000) };
const maxBytes = 20_000_000;

let broker: TestBroker;
const plain = new Publisher({ url: stack.AMQP_URL, name: unique('claims') });
const publisher = withClaims(plain, { claims });
const cleanups: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  broker = await openBroker();
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
afterAll(async () => {
  await claims.remove(new Date(Date.now() + 60_000));
  await Promise.all([plain.close(), broker.close()]);
});

const optionsOf = (given: object = {}) => ({
  schema,
  claims,
  maxBytes,
  log: silentLog,
  policies: {},
  publisher: recordingPublisher(),
  ...given,
});

describe.each(['in process', 'through the Lambda API'])('claims %s', (host) => {
  const feed = async (queue: string, handler: (event: never, context?: never) => Promise<unknown>) => {
    const settings = { functionName: 'claims', timeoutMs: 20_000 };
    const call = handler as (event: unknown, context: unknown) => Promise<unknown>;
    const api = host === 'in process' ? undefined : await lambdaApi(call);
    if (api) cleanups.push(api.close);
    const invoke = api
      ? lambdaInvoke({ ...settings, endpoint: api.endpoint })
      : inProcess({ ...settings, load: async () => call });
    const source = await feeding(queue, invoke);
    cleanups.push(() => source.stop());
  };

  it('a body of nine megabytes comes back in a retry and in a replay, and the dead letter has its claim', async () => {
    const queue = await broker.queue();
    const seen: [attempt: number, length: number][] = [];
    const failures = [new UnavailableError('printer', 'no paper'), new RejectedError('torn')];
    await feed(
      queue,
      onMessages(optionsOf(), async ({ body, attempt }) => {
        seen.push([attempt, body.text.length]);
        const failure = failures.shift();
        if (failure) throw failure;
      }),
    );
    await publisher.publish({ exchange: '', routingKey: queue, body: large });
    await expect.poll(() => seen.length, patience).toBe(2);
    const [dead] = await vi.waitFor(async () => {
      const listed = await listDeadLetters(stack.AMQP_URL, { queue });
      if (listed.length === 0) throw new Error('no dead letter yet');
      return listed;
    }, patience);
    expect(JSON.parse(dead?.body ?? '')).toMatchObject({ bytes: 9_000_011 });
    expect(dead).toMatchObject({ reason: 'rejected', contentType: 'application/json' });
    // A letter that was just looked at returns to its queue in a moment.
    const replay = async () => (await replayDeadLetters(stack.AMQP_URL, { queue })).replayed.length;
    await expect.poll(replay, patience).toBe(1);
    await expect
      .poll(() => seen, patience)
      .toEqual([
        [1, large.text.length],
        [2, large.text.length],
        [1, large.text.length],
      ]);
  }, 60_000);
});

describe('claims behind AWS', () => {
  it('a retry that the function itself publishes carries the claim and its header', async () => {
    const queue = await broker.queue();
    await publisher.publish({ exchange: '', routingKey: queue, body: large });
    const event = toEvent({ arn: 'arn', queue, vhost: '/' }, [await broker.take(queue)]);
    const recording = recordingPublisher();
    const lengths: number[] = [];
    const run = onMessages(optionsOf({ publisher: recording }), async ({ body }) => {
      lengths.push(body.text.length);
      throw new UnavailableError('printer', 'no paper');
    });
    await run(event);
    const [copy] = recording.published;
    expect(lengths).toEqual([large.text.length]);
    expect(copy).toMatchObject({ exchange: 'warren.retry', headers: { 'x-warren-claim': 1 } });
    expect(JSON.parse(String(copy?.body))).toMatchObject({ bytes: 9_000_011 });
    // A publisher with claims does not store the copy of a failed message.
    const again = recordingPublisher();
    const copies = withClaims(again, { claims, aboveBytes: 10 });
    await copies.publish(copy as OutgoingMessage);
    expect(again.published).toEqual([copy]);
  });
});

describe('claims', () => {
  /** Publishes a body with a claim, and returns the event with it. */
  const eventWith = async (body: unknown, given: Partial<OutgoingMessage> = {}, change: object = {}) => {
    const recording = recordingPublisher();
    const message = { exchange: '', routingKey: 'q', body, ...given };
    await withClaims(recording, { claims, aboveBytes: 10 }).publish(message);
    const [sent] = recording.published;
    const claim = JSON.parse(String(sent?.body)) as Claim;
    const { contentType, contentEncoding, headers } = sent ?? {};
    const changed = Buffer.from(JSON.stringify({ ...claim, ...change }));
    return { claim, event: messageEvent('q', changed, { contentType, contentEncoding, headers }) };
  };
  /** Runs a function for an event. @returns the bodies that it got, and the error of its dead letter. */
  const run = async (event: RabbitMQEvent, given: object = {}) => {
    const recording = recordingPublisher();
    const bodies: unknown[] = [];
    const options = optionsOf({ publisher: recording, ...given });
    await onMessages(options, async ({ body }) => bodies.push(body))(event);
    return { bodies, error: recording.published[0]?.headers?.['x-warren-error'] };
  };

  it('a small body is published as it is', async () => {
    const recording = recordingPublisher();
    await withClaims(recording, { claims }).publish({ exchange: '', routingKey: 'q', body: { n: 1 } });
    expect(recording.published).toEqual([
      { exchange: '', routingKey: 'q', body: Buffer.from('{"n":1}'), contentType: 'application/json' },
    ]);
  });

  it('bytes with a content encoding come back decoded, and a batch mixes claims with bodies', async () => {
    const text = 'a text of more than ten bytes';
    const packed = gzipSync(JSON.stringify({ text }));
    const given = { contentType: 'application/json', contentEncoding: 'gzip' };
    const { event } = await eventWith(packed, given);
    expect(await run(event)).toEqual({ bodies: [{ text }], error: undefined });
    const bytes = await eventWith(Buffer.from(text));
    const decoded = await run(bytes.event, { schema: undefined, decode: 'bytes' });
    expect(decoded.bodies).toEqual([Buffer.from(text)]);

    const [[source, messages] = ['', []]] = Object.entries(event.rmqMessagesByQueue);
    const [small] = Object.values(messageEvent('q', { text: 'b' }).rmqMessagesByQueue).flat();
    const batch = {
      ...event,
      rmqMessagesByQueue: { [source]: [...messages, small as (typeof messages)[0]] },
    };
    const texts: string[] = [];
    await onBatch(optionsOf(), async (all) => void texts.push(...all.map(({ body }) => body.text)))(batch);
    expect(texts).toEqual([text, 'b']);
  });

  it('a message of the outbox is stored when it is published', async () => {
    const queue = await broker.queue();
    const own = await effectsDatabase();
    cleanups.push(() => own.drop());
    const effects = new Effects({ database: own.clients.pg.database, publisher, log: silentLog });
    await effects.once({ queue: 'q', vhost: '/', messageId: 'one' }, async ({ publish }) =>
      publish({ exchange: '', routingKey: queue, body: large }),
    );
    const event = toEvent({ arn: 'arn', queue, vhost: '/' }, [await broker.take(queue)]);
    expect((await run(event)).bodies).toEqual([large]);
  });

  it.each([
    [
      'whose body was removed',
      {},
      {},
      /^RejectedError: body: expected 23 bytes in storage under ".+", got none/,
    ],
    ['with another checksum', { sha256: 'f00' }, {}, /expected the 23 published bytes .+ got 23 other bytes/],
    ['that names another object', { claim: '../secrets' }, {}, /expected a claim because of the header/],
    ['above the limit', {}, { maxBytes: 20 }, /body: expected at most 20 bytes, got 23/],
    [
      'for a function without a store',
      {},
      { claims: undefined },
      /23 bytes in storage, and the function has no/,
    ],
  ])('a claim %s is dead-lettered with the reason', async (what, change, options, reason) => {
    const { claim, event } = await eventWith({ text: 'large enough' }, {}, change);
    if (what.includes('removed')) {
      await testS3().deleteObject({ Bucket: bucket, Key: `${prefix}${claim.claim}` });
    }
    const { bodies, error } = await run(event, options);
    expect(bodies).toEqual([]);
    expect(error).toMatch(reason);
  });

  it('an unavailable storage has the message retried, and fails the publisher', async () => {
    const down = s3Claims({ s3: testS3({ endpoint: 'http://127.0.0.1:1', maxAttempts: 1 }), bucket });
    const { event } = await eventWith({ text: 'large enough' });
    const { bodies, error } = await run(event, { claims: down });
    expect([bodies, error]).toEqual([[], expect.stringContaining('UnavailableError: the storage of large')]);
    const publishing = withClaims(recordingPublisher(), { claims: down }).publish({
      exchange: '',
      routingKey: 'q',
      body: large,
    });
    expect(isUnavailable(await publishing.catch((failure: unknown) => failure))).toBe(true);
  });

  it('bodies are removed by age', async () => {
    const store = s3Claims({ s3: testS3(), bucket, prefix: `${unique('old')}/` });
    const keys = ['2026-01-01/a', '2026-01-02/b', '2026-01-03/c'];
    for (const key of keys) await store.put(key, Buffer.from(key));
    expect(await store.remove(new Date(Date.now() - 3_600_000))).toBe(0);
    expect(await store.get('2026-01-01/a', 100)).toEqual(Buffer.from('2026-01-01/a'));
    expect(await store.remove(new Date(Date.now() + 3_600_000))).toBe(3);
    expect(await store.get('2026-01-01/a', 100)).toBeUndefined();
  });
});
