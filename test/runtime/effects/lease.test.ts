import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { silentLog } from '../../../runtime/base/log.ts';
import { isUnavailable } from '../../../runtime/base/unavailable.ts';
import { Effects } from '../../../runtime/effects/effects.ts';
import { LeasedError, underLease } from '../../../runtime/effects/lease.ts';
import { onMessages } from '../../../runtime/messages/on-messages.ts';
import { recordingPublisher } from '../../../runtime/testing/recording-publisher.ts';
import { awsEvent } from '../../support/aws-event.ts';
import { unique } from '../../support/broker.ts';
import { effectsDatabase } from '../../support/effects.ts';

describe('leased', () => {
  let own: Awaited<ReturnType<typeof effectsDatabase>>;
  let effects: Effects<unknown>;
  beforeAll(async () => {
    own = await effectsDatabase();
    const { database } = own.clients.pg;
    effects = new Effects({ database, publisher: recordingPublisher(), log: silentLog });
  });
  afterAll(() => own.drop());

  it('an effect happens once, however long ago', async () => {
    const key = unique('mail');
    let sent = 0;
    const send = async () => {
      sent += 1;
    };
    expect(await effects.leased(key, send)).toEqual({ done: 'now' });
    await own.run`update warren_leases set claimed_until = now() - interval '30 days' where key = ${key}`;
    expect(await effects.leased(key, send)).toEqual({ done: 'before' });
    expect(sent).toBe(1);
  });

  it('a second delivery at the same moment waits as for an unavailable dependency', async () => {
    const key = unique('mail');
    let refused: unknown;
    await effects.leased(key, async () => {
      refused = await effects.leased(key, async () => 1).catch((error: unknown) => error);
    });
    expect(refused).toBeInstanceOf(LeasedError);
    expect(isUnavailable(refused)).toBe(true);
    expect(await effects.leased(key, async () => 1)).toEqual({ done: 'before' });
  });

  it('an effect that fails gives its lease back, and the next attempt has it', async () => {
    const key = unique('mail');
    const failing = effects.leased(key, async () => {
      throw new Error('451 try later');
    });
    await expect(failing).rejects.toThrow('451 try later');
    expect(await effects.leased(key, async () => 1)).toEqual({ done: 'now' });
  });

  it('a lease of a process that was killed ends after its time', async () => {
    const key = unique('mail');
    void effects.leased(key, () => new Promise(() => undefined), { leaseMs: 500 });
    await expect
      .poll(async () => (await own.run`select key from warren_leases where key = ${key}`).length)
      .toBe(1);
    await expect(effects.leased(key, async () => 1)).rejects.toThrow(LeasedError);
    await expect
      .poll(() => effects.leased(key, async () => 1).catch((error: unknown) => error), { timeout: 10_000 })
      .toEqual({ done: 'now' });
  });

  it('behind AWS, whose event has no header of ours, a second delivery waits for a retry, and the effect happens once', async () => {
    const order_id = unique('order');
    const publisher = recordingPublisher();
    const event = awsEvent([{ queue: 'orders', messageId: order_id, body: { order_id } }]);
    let sent = 0;
    let begun: () => void = () => undefined;
    const isBegun = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const schema = z.object({ order_id: z.string() });
    const run = onMessages({ schema, publisher, log: silentLog }, ({ body }) =>
      effects.leased(`mail ${body.order_id}`, async () => {
        begun();
        sent += 1;
        await expect.poll(() => publisher.published.length).toBe(1);
      }),
    );
    const first = run(event);
    await isBegun;
    await run(event);
    await first;
    expect(publisher.published).toMatchObject([
      {
        exchange: 'warren.retry',
        headers: { 'x-warren-error': expect.stringContaining('another delivery works on') },
      },
    ]);
    await run(event);
    expect([sent, publisher.published.length]).toEqual([1, 1]);
  });

  it('the signal aborts when the time of the effect is over', async () => {
    const waiting = effects.leased(
      unique('mail'),
      (signal) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
      { timeoutMs: 50 },
    );
    await expect(waiting).rejects.toMatchObject({ name: 'TimeoutError' });
  });

  it('a record whose answer never comes is made again before the lease ends', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    let records = 0;
    const store = {
      take: async () => true,
      giveBack: async () => undefined,
      record() {
        records += 1;
        return records === 1 ? new Promise(() => undefined) : Promise.resolve();
      },
    };
    try {
      const leased = underLease(store, async () => 1);
      await vi.advanceTimersByTimeAsync(20_000);
      expect(await leased).toEqual({ done: 'now' });
      expect(records).toBe(2);
    } finally {
      vi.useRealTimers();
    }
  });
});
