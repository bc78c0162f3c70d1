import { describe, expect, it } from 'vitest';
import { invoke, rabbitMQEvent, recordingPublisher } from 'warren/testing';
import { silentLog } from '../../../runtime/base/log.ts';
import type { HandlerContext } from '../../../runtime/messages/handler-context.ts';
import { onBatch } from '../../../runtime/messages/on-batch.ts';
import { onCalls } from '../../../runtime/messages/on-calls.ts';
import { onMessages } from '../../../runtime/messages/on-messages.ts';

describe('the context of a message', () => {
  const options = { publisher: recordingPublisher(), log: silentLog };
  type Keep = (message: unknown, context: HandlerContext) => Promise<void>;
  it.each([
    ['onMessages', (keep: Keep) => onMessages(options, keep)],
    ['onBatch', (keep: Keep) => onBatch(options, keep)],
    ['onCalls', (keep: Keep) => onCalls(options, keep)],
  ])('of %s has its signal as its own property, so that a copy has it too', async (_name, wrap) => {
    const copied: unknown[] = [];
    const handler = wrap(async (_message, context) => {
      const copy = { ...context };
      copied.push(copy.signal?.aborted, copy.lambda?.functionName);
    });
    await invoke(handler, rabbitMQEvent([{ body: 1, replyTo: 'r' }]));
    expect(copied).toEqual([false, 'test']);
  });
});
