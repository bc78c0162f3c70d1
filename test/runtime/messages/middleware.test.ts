import middy from '@middy/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordingPublisher } from 'warren/testing';
import { z } from 'zod';
import { silentLog } from '../../../runtime/base/log.ts';
import { inProcess } from '../../../runtime/hosts/in-process.ts';
import { onMessages } from '../../../runtime/messages/on-messages.ts';
import { openBroker, type TestBroker } from '../../support/broker.ts';
import { feeding, patience } from '../../support/feeding.ts';

let broker: TestBroker;
beforeAll(async () => {
  broker = await openBroker();
});
afterAll(() => broker.close());

describe('middleware', () => {
  it('middleware: a function that middy wraps gets its signal, and its verdicts reach the host', async () => {
    const queue = await broker.queue();
    const publisher = recordingPublisher();
    const done: unknown[] = [];
    const order: string[] = [];
    const signals: boolean[] = [];
    const run = onMessages(
      { schema: z.string(), publisher, log: silentLog },
      async ({ body, attempt }, { signal, lambda }) => {
        signals.push(signal.aborted, lambda?.functionName === 'wrapped');
        if (body === 'fails' && attempt === 1) throw new Error('once');
        done.push(body);
      },
    );
    const wrapped = middy(run).use({
      before: () => void order.push('before'),
      after: () => void order.push('after'),
    });
    const call = inProcess({
      functionName: 'wrapped',
      load: async () => async (event, context) => wrapped(event as never, context),
      timeoutMs: 5000,
    });
    const source = await feeding(queue, call);
    for (const body of ['works', 'fails']) await broker.send(queue, body);
    await expect.poll(() => done.toSorted(), patience).toEqual(['fails', 'works']);
    await source.stop();
    // The host made the copy, so the function published nothing.
    expect(publisher.published).toEqual([]);
    expect(new Set(order)).toEqual(new Set(['before', 'after']));
    expect(new Set(signals)).toEqual(new Set([false, true]));
  });
});
