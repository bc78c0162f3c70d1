import type { ConfirmChannel } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { otherActions } from '../../../../runtime/dead-letters/others/other-actions.ts';
import { OtherLetters } from '../../../../runtime/dead-letters/others/other-letters.ts';
import { isAtLeast, unlimited } from '../../../support/broker-version.ts';
import { stack } from '../../../support/stack.ts';
import { openVhost, type TestVhost } from '../../../support/vhost.ts';

let vhost: TestVhost;
let channel: ConfirmChannel;
const opened: OtherLetters[] = [];

/** A virtual host as other clients made it: work queues, a queue for retries, and queues of dead letters. */
beforeAll(async () => {
  vhost = await openVhost({});
  ({ channel } = vhost);
  await channel.assertExchange('dlx', 'topic');
  const dead = { arguments: { 'x-dead-letter-exchange': 'dlx' } };
  await channel.assertQueue('orders', dead);
  await channel.assertQueue('payments', dead);
  await channel.assertQueue('mails', {
    arguments: { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'mails.dlq' },
  });
  const back = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'orders' };
  await channel.assertQueue('orders.later', { arguments: { 'x-message-ttl': 3_600_000, ...back } });
  await channel.assertQueue('orders.dlq');
  await channel.assertQueue('payments.dlq', { arguments: { 'x-queue-type': 'quorum', ...unlimited(vhost) } });
  await channel.assertQueue('mails.dlq', { arguments: { 'x-queue-type': 'stream' } });
  for (const queue of ['orders', 'payments']) await channel.bindQueue(`${queue}.dlq`, 'dlx', queue);
  await channel.bindQueue('orders.later', 'dlx', 'later');
});
afterAll(async () => {
  for (const each of opened) await each.close();
  await vhost?.close();
});

const open = (names?: readonly string[]): OtherLetters => {
  const letters = new OtherLetters({ url: vhost.url, managementUrl: stack.AMQP_MANAGEMENT_URL, names });
  opened.push(letters);
  return letters;
};
/** Publishes messages to a work queue, whose consumer rejects them. */
const reject = async (queue: string, ...ids: string[]) => {
  for (const id of ids) {
    channel.sendToQueue(queue, Buffer.from(`{"id":"${id}"}`), { messageId: id, headers: { tenant: 'a' } });
    await channel.waitForConfirms();
    channel.reject(
      await vhost.channel.get(queue).then((message) => message || Promise.reject(new Error(queue))),
      false,
    );
  }
};
const idsOf = (letters: OtherLetters, queue: string) => letters.page({ queue }, {}).map(({ id }) => id);
/** The queues and their messages as soon as the management API knows all of them. */
const updated = async (letters: OtherLetters, expected: Record<string, string[]>) => {
  await expect
    .poll(
      async () => {
        await letters.update();
        return Object.fromEntries(Object.keys(expected).map((queue) => [queue, idsOf(letters, queue)]));
      },
      // Below the limit of a test, which then shows the difference.
      { timeout: 40_000 },
    )
    .toEqual(expected);
};

describe('dead letters in queues of other clients', () => {
  it('other queues: those to which others dead-letter are found, whatever their type, and a queue for retries is not one of them', async () => {
    await reject('orders', 'o1', 'o2');
    await reject('payments', 'p1');
    // RabbitMQ 3.10 dead-letters nothing to a stream, because it cannot write the list of deaths there.
    const death = { 'x-first-death-queue': 'mails', 'x-first-death-reason': 'rejected' };
    channel.sendToQueue('mails.dlq', Buffer.from('{}'), { messageId: 'm1', headers: death });
    await channel.waitForConfirms();
    const letters = open();
    await updated(letters, { orders: ['o1', 'o2'], payments: ['p1'], mails: ['m1'] });
    expect(letters.queues.map(({ queue, kind, problem }) => [queue, kind, problem])).toEqual(
      expect.arrayContaining([
        ['orders.dlq', 'classic', null],
        ['payments.dlq', 'quorum', null],
        ['mails.dlq', 'stream', null],
      ]),
    );
    expect(letters.queues).toHaveLength(3);
    const [first] = letters.page({ queue: 'orders' }, {});
    const [whole] = await letters.read([first ?? { offset: -1 }]);
    expect(whole?.letter).toMatchObject({
      id: 'o1',
      queue: 'orders',
      reason: 'rejected',
      routingKey: 'orders',
      body: '{"id":"o1"}',
      headers: { tenant: 'a' },
    });
    expect(whole?.letter.lastFailedAt).toBeDefined();
  });

  it('other queues: reading takes nothing and keeps the order, and what is new or gone is noticed', async () => {
    const letters = open(['orders.dlq', 'payments.dlq']);
    await updated(letters, { orders: ['o1', 'o2'], payments: ['p1'] });
    const [before] = letters.page({ queue: 'orders' }, {});
    expect([await vhost.count('orders.dlq'), await vhost.count('payments.dlq')]).toEqual([2, 1]);
    await reject('orders', 'o3', 'o3');
    await updated(letters, { orders: ['o1', 'o2', 'o3', 'o3'] });
    expect(letters.page({ queue: 'orders' }, {})[0]).toEqual(before);
    // A page that was opened before a restart of the board selects by the old positions.
    const later = open(['orders.dlq']);
    await updated(later, { orders: ['o1', 'o2', 'o3', 'o3'] });
    expect(letters.page({}, {}).filter(({ offset }) => later.has(offset))).toEqual([]);
    expect((await vhost.take('orders.dlq')).properties.messageId).toBe('o1');
    await updated(letters, { orders: ['o2', 'o3', 'o3'] });
  });

  it('other queues: the selected dead letters are replayed or dropped, edited ones replaced, and the others stay', async () => {
    const letters = open(['orders.dlq', 'payments.dlq']);
    await updated(letters, { orders: ['o2', 'o3', 'o3'], payments: ['p1'] });
    const actions = otherActions(vhost.url, letters);
    const [o2, o3] = letters.page({ queue: 'orders' }, {}).map(({ offset }) => offset);
    const handled: unknown[] = [];
    const selection = { only: new Set([o3 ?? -1]) };
    expect(
      await actions.replay({ ...selection, handled: (offset, fate) => handled.push([offset, fate]) }),
    ).toEqual([]);
    expect(handled).toEqual([[o3, 'remove']]);
    expect((await vhost.take('orders')).properties).toMatchObject({
      messageId: 'o3',
      headers: { tenant: 'a' },
    });
    await updated(letters, { orders: ['o2', 'o3'] });
    const edited = await actions.edit(o2 ?? -1, { body: Buffer.from('new') });
    expect(edited).toMatchObject({ replaces: 'o2' });
    expect((await vhost.take('orders')).content.toString()).toBe('new');
    await updated(letters, { orders: ['o3'] });
    const [last] = letters.page({ queue: 'orders' }, {});
    await actions.drop({ only: new Set([last?.offset ?? -1]) });
    await updated(letters, { orders: [], payments: ['p1'] });
    expect(await vhost.count('payments.dlq')).toBe(1);
  });

  it('other queues: an action on a queue that is read all the time meets all that are selected, also after a pause', async () => {
    const [queue, count] = ['many.dlq', 4000];
    await channel.assertQueue(queue);
    const death = { 'x-first-death-queue': queue, 'x-first-death-reason': 'rejected' };
    for (let n = 0; n < count; n += 1)
      channel.sendToQueue(queue, Buffer.from('{}'), { messageId: `n${n}`, headers: death, persistent: true });
    await channel.waitForConfirms();
    const letters = open([queue]);
    await expect.poll(() => letters.update().then(() => letters.size), { timeout: 60_000 }).toBe(count);
    let isActing = true;
    const reading = (async () => {
      while (isActing) {
        await letters.update();
        // An update that reads nothing waits for nothing.
        await new Promise(setImmediate);
      }
    })();
    const actions = otherActions(vhost.url, letters);
    const left = new Set(letters.page({}, {}).map(({ offset }) => offset));
    const pause = new AbortController();
    const handled = (offset: number | undefined) => {
      left.delete(offset ?? -1);
      if (left.size <= count / 2) pause.abort();
    };
    await actions.drop({ only: new Set(left), handled, signal: pause.signal });
    expect(left.size).toBeGreaterThan(0);
    // Reads between the two parts of a job that was paused.
    await letters.update();
    expect(letters.size).toBe(left.size);
    await actions.drop({ only: new Set(left), handled });
    isActing = false;
    await reading;
    expect([left.size, letters.size, await vhost.count(queue)]).toEqual([0, 0, 0]);
  });

  it('other queues: nothing is removed from a stream, and a missing queue is reported', async () => {
    const letters = open(['mails.dlq', 'no-such-queue']);
    await updated(letters, { mails: ['m1'] });
    expect(letters.queues[1]?.problem).toBe('there is no such queue');
    const [m1] = letters.page({}, {});
    const only = new Set([m1?.offset ?? -1]);
    await expect(otherActions(vhost.url, letters).drop({ only })).rejects.toThrow(/is a stream/);
  });

  it('other queues: a quorum queue whose delivery limit counts reads is not read, and the problem names what is needed', async () => {
    const quorum = { 'x-queue-type': 'quorum' };
    await channel.assertQueue('limited', { arguments: { ...quorum, 'x-delivery-limit': 2 } });
    await channel.assertQueue('default', { arguments: quorum });
    for (const queue of ['limited', 'default']) {
      const headers = { 'x-first-death-queue': queue, 'x-first-death-reason': 'rejected' };
      channel.sendToQueue(queue, Buffer.from('x'), { messageId: queue, headers });
    }
    await channel.waitForConfirms();
    const letters = open(['limited', 'default']);
    for (let n = 0; n < 5; n += 1) await letters.update();
    const problems = Object.fromEntries(letters.queues.map(({ queue, problem }) => [queue, problem]));
    const expected: Record<string, number | undefined> = isAtLeast(vhost, '4.3')
      ? {}
      : { limited: 2, default: isAtLeast(vhost, '4.0') ? 20 : undefined };
    for (const queue of ['limited', 'default']) {
      const limit = expected[queue];
      if (limit === undefined) expect(problems[queue]).toBeNull();
      else expect(problems[queue]).toMatch(new RegExp(`delivery limit of ${limit},.*set_policy`));
      expect(letters.page({ queue }, {})).toHaveLength(limit === undefined ? 1 : 0);
      const message = await vhost.take(queue);
      expect(message.properties.messageId).toBe(queue);
      if (limit !== undefined) expect(message.fields.redelivered).toBe(false);
    }
  });
});
