import { IdempotencyConfig } from '@aws-lambda-powertools/idempotency';
import { DynamoDBPersistenceLayer } from '@aws-lambda-powertools/idempotency/dynamodb';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isUnavailable } from '../../../runtime/base/unavailable.ts';
import { LeasedError } from '../../../runtime/effects/lease.ts';
import { leasedBy } from '../../../runtime/effects/persistence.ts';
import { unique } from '../../support/broker.ts';
import { startDynamo, type TestDynamo } from '../../support/dynamodb.ts';

const tableName = 'effects';
const month = 30 * 86_400;

describe("leasedBy, on DynamoDB through Powertools' persistence layer", () => {
  let dynamo: TestDynamo;
  beforeAll(async () => {
    dynamo = await startDynamo(tableName);
  });
  afterAll(() => dynamo.close());

  const layer = (expiresAfterSeconds = month, client = dynamo.client, useLocalCache = false) => {
    const persistence = new DynamoDBPersistenceLayer({ tableName, awsSdkV3Client: client });
    persistence.configure({ config: new IdempotencyConfig({ expiresAfterSeconds, useLocalCache }) });
    return persistence;
  };

  it.each([false, true])('an effect happens once, with a local cache: %s', async (useLocalCache) => {
    const [key, persistence] = [unique('parcel'), layer(month, dynamo.client, useLocalCache)];
    let shipped = 0;
    const ship = async () => {
      shipped += 1;
    };
    expect(await leasedBy(persistence, key, ship)).toEqual({ done: 'now' });
    expect(await leasedBy(persistence, key, ship)).toEqual({ done: 'before' });
    // Another process has another layer.
    expect(await leasedBy(layer(), key, ship)).toEqual({ done: 'before' });
    expect(await leasedBy(persistence, `${key} again`, ship)).toEqual({ done: 'now' });
    expect(shipped).toBe(2);
  });

  it('a second delivery at the same moment waits as for an unavailable dependency', async () => {
    const key = unique('parcel');
    let refused: unknown;
    await leasedBy(layer(), key, async () => {
      refused = await leasedBy(layer(), key, async () => 1).catch((error: unknown) => error);
    });
    expect(refused).toBeInstanceOf(LeasedError);
    expect(isUnavailable(refused)).toBe(true);
    expect(await leasedBy(layer(), key, async () => 1)).toEqual({ done: 'before' });
  });

  it('an effect that fails gives its lease back, and the next attempt has it', async () => {
    const key = unique('parcel');
    const failing = leasedBy(layer(), key, async () => {
      throw new Error('451 try later');
    });
    await expect(failing).rejects.toThrow('451 try later');
    expect(await leasedBy(layer(), key, async () => 1)).toEqual({ done: 'now' });
  });

  it('a failure does not remove the record of a delivery that was frozen for longer than its lease and has had the effect', async () => {
    const key = unique('parcel');
    const held: { thaw(): void; fail(error: Error): void }[] = [];
    const hold = () => new Promise<void>((thaw, fail) => held.push({ thaw, fail }));
    const frozen = leasedBy(layer(), key, hold, { leaseMs: 500 });
    await expect.poll(() => held.length, { timeout: 30_000 }).toBe(1);
    let second: Promise<unknown> | undefined;
    await expect
      .poll(
        async () => {
          const begun = new Promise((begin) => {
            second = leasedBy(layer(), key, () => {
              begin('begun');
              return hold();
            }).catch((error: unknown) => error);
          });
          // Refused, as long as the first lease lasts.
          return Promise.race([begun, second]);
        },
        { timeout: 30_000 },
      )
      .toBe('begun');
    held[0]?.thaw();
    expect(await frozen).toEqual({ done: 'now' });
    held[1]?.fail(new Error('451 try later'));
    expect(await second).toMatchObject({ message: '451 try later' });
    expect(await leasedBy(layer(), key, async () => 1)).toEqual({ done: 'before' });
  });

  it('a lease of a process that was killed ends after its time, and a failure of that process after it harms no other', async () => {
    const [key, persistence] = [unique('parcel'), layer()];
    let fail: (error: Error) => void = () => undefined;
    let begun = false;
    const frozen = leasedBy(
      persistence,
      key,
      () =>
        new Promise((_, reject) => {
          fail = reject;
          begun = true;
        }),
      { leaseMs: 500 },
    );
    await expect.poll(() => begun, { timeout: 30_000 }).toBe(true);
    await expect
      .poll(() => leasedBy(layer(), key, async () => 1).catch((error: unknown) => error), { timeout: 30_000 })
      .toEqual({ done: 'now' });
    fail(new Error('late'));
    await expect(frozen).rejects.toThrow('late');
    expect(await leasedBy(layer(), key, async () => 1)).toEqual({ done: 'before' });
  });

  it('a layer that keeps records for less than a day is refused, because messages are retried for a day', async () => {
    const run = leasedBy(layer(3600), unique('parcel'), async () => 1);
    await expect(run).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      message: expect.stringMatching(/^expiresAfterSeconds: expected at least 86400, .*got 3600$/),
    });
  });

  it('an unavailable DynamoDB counts as an unavailable dependency, and the effect does not happen', async () => {
    const client = new DynamoDBClient({
      endpoint: 'http://127.0.0.1:1',
      region: 'us-east-1',
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
      maxAttempts: 1,
    });
    let shipped = 0;
    const run = leasedBy(layer(month, client), unique('parcel'), async () => {
      shipped += 1;
    });
    expect(isUnavailable(await run.catch((error: unknown) => error))).toBe(true);
    expect(shipped).toBe(0);
  });
});
