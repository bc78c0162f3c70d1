/** A reply for a channel that is closing is left to the publisher, and is not reported as sent. */
import { afterAll, afterEach, expect, it } from 'vitest';
import { BrokerConnection } from '../../../runtime/amqp/connection.ts';
import { CallReplies } from '../../../runtime/event-source/call-replies.ts';
import { unique } from '../../support/broker.ts';
import { ServedCalls } from '../../support/served-calls.ts';
import { stack } from '../../support/stack.ts';

const url = stack.AMQP_URL;
const calls = new ServedCalls();
const connection = new BrokerConnection({ url, name: unique('replies') });
afterEach(() => calls.close());
afterAll(() => connection.close());

it('replies: one for a channel that is closing is not sent there, and counts as unconfirmed', async () => {
  const publisher = calls.publisherAt(url);
  const channel = await connection.channel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  const reply = { exchange: '', routingKey: queue, body: Buffer.from('reply') };
  const replies = new CallReplies({ channel, connection, closed: new AbortController().signal });
  replies.confirmed(publisher, reply);
  const seen = calls.outcomes();
  expect(replies.send(publisher, reply)).toBe(true);
  await expect.poll(() => seen).toEqual(['sent']);
  const closing = channel.close();
  expect(replies.send(publisher, reply)).toBe(false);
  await expect.poll(() => seen).toEqual(['sent', 'unconfirmed']);
  await closing;
});
