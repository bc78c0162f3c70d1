import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { silentLog } from '../../../runtime/base/log.ts';
import type { EventSource } from '../../../runtime/event-source/event-source.ts';
import { inProcess } from '../../../runtime/hosts/in-process.ts';
import { LateRuns } from '../../../runtime/messages/late-runs.ts';
import { onBatch } from '../../../runtime/messages/on-batch.ts';
import { onMessages } from '../../../runtime/messages/on-messages.ts';
import { recordingPublisher } from '../../../runtime/testing/recording-publisher.ts';
import { openBroker, type TestBroker } from '../../support/broker.ts';
import { feeding, patience } from '../../support/feeding.ts';
import { received } from '../../support/received.ts';

describe('late runs', () => {
  let broker: TestBroker;
  const sources: EventSource[] = [];
  beforeAll(async () => {
    broker = await openBroker();
  });
  afterEach(async () => {
    await Promise.all(sources.splice(0).map((each) => each.stop()));
  });
  afterAll(() => broker.close());

  it.each(['onMessages', 'onBatch'])(
    'a handler of %s that ignores its signal is not run again beside itself',
    async (kind) => {
      const queue = await broker.queue();
      let release = () => {};
      const released = new Promise<void>((resolve) => {
        release = resolve;
      });
      const runs: unknown[] = [];
      const handle = async (body: unknown) => {
        runs.push(body);
        if (body === 'hangs') await released;
        else throw new Error('fails');
      };
      const options = {
        schema: z.string(),
        publisher: recordingPublisher(),
        policy: { delays: [1, 1, 1, 1] },
        log: silentLog,
      };
      const handler =
        kind === 'onMessages'
          ? onMessages(options, ({ body }) => handle(body))
          : onBatch(options, async (messages) => {
              for (const { body } of messages) await handle(body);
            });
      const call = inProcess({ functionName: 'late', load: async () => handler, timeoutMs: 500 });
      sources.push(await feeding(queue, call, { batchSize: 1 }));
      for (const body of ['hangs', 'hangs too']) await broker.send(queue, body, { messageId: body });
      await expect.poll(() => runs.filter((body) => body === 'hangs too').length, patience).toBe(5);
      // Each of its retries of one second was too early as well.
      expect(runs.filter((body) => body === 'hangs')).toEqual(['hangs']);
      release();
      await expect.poll(() => runs.filter((body) => body === 'hangs').length, patience).toBe(2);
      await expect.poll(() => broker.count(queue), patience).toBe(0);
    },
    60_000,
  );

  it('a copy is the same message as its original, and another message with its content is not', async () => {
    const runs = new LateRuns();
    const content = Buffer.from('1');
    const checks = (message: Parameters<typeof received>[0]) => () => runs.check(received(message));
    await runs.during([received({ content, messageId: 'a' })], async () => {
      expect(checks({ content, messageId: 'a', attempt: 2 })).toThrow('has not ended');
      expect(checks({ content, messageId: 'a', redelivered: true })).toThrow('has not ended');
      expect(checks({ content, messageId: 'b', attempt: 2 })).not.toThrow();
      expect(checks({ content, messageId: 'a' })).not.toThrow();
    });
    await runs.during([received({ content })], async () => {
      expect(checks({ content, messageId: 'given by the copy', attempt: 2 })).toThrow('has not ended');
    });
    expect(checks({ content, messageId: 'a', attempt: 2 })).not.toThrow();
  });

  it('a run that has not ended after 5 minutes is taken for lost', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    try {
      const runs = new LateRuns();
      const again = received({ messageId: 'a', attempt: 2 });
      await runs.during([received({ messageId: 'a' })], async () => {
        vi.advanceTimersByTime(299_000);
        expect(() => runs.check(again)).toThrow('has not ended');
        vi.advanceTimersByTime(2000);
        expect(() => runs.check(again)).not.toThrow();
      });
    } finally {
      vi.useRealTimers();
    }
  });
});
