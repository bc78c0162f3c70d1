import { expect, it } from 'vitest';
import { z } from 'zod';
import { silentLog } from '../../../runtime/base/log.ts';
import { onMessages } from '../../../runtime/messages/on-messages.ts';
import { invoke, rabbitMQEvent, recordingPublisher } from '../../../runtime/testing.ts';

it('a delayed message that reaches two queues of a function is handled once from each', async () => {
  const bodies: unknown[] = [];
  const options = { schema: z.string(), publisher: recordingPublisher(), log: silentLog };
  const handler = onMessages(options, async ({ body, queue }) => {
    bodies.push(`${queue}: ${body}`);
  });
  for (const queue of ['reminders', 'invoices', 'reminders', 'invoices']) {
    const headers = { 'x-warren-copy': 'd-1' };
    await invoke(handler, rabbitMQEvent([{ body: 'late', messageId: 'm-1', headers }], { queue }));
  }
  expect(bodies).toEqual(['reminders: late', 'invoices: late']);
});
