/** The policies in docs/amazon-mq.md, set through the management API as the page describes, because Amazon MQ has no rabbitmqctl. */
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { projectFile } from '../../dev/stack/project.ts';
import { compileTopology } from '../../runtime/topology/compile.ts';
import { placeTopology } from '../../runtime/topology/place.ts';
import { readSection } from '../../runtime/topology/schema.ts';
import { management, openBroker, type TestBroker, unique } from '../support/broker.ts';
import { isAtLeast } from '../support/broker-version.ts';
import { stack } from '../support/stack.ts';

const page = readFileSync(projectFile('docs/amazon-mq.md'), 'utf8');
const shown = (pattern: RegExp) => JSON.parse(pattern.exec(page)?.[1] ?? '') as Record<string, unknown>;

let broker: TestBroker;
const cleanups: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  broker = await openBroker();
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
afterAll(() => broker.close());

/** Sets a policy for one queue. */
const setPolicy = async (queue: string, policy: Record<string, unknown>) => {
  const path = `/policies/%2F/${unique('policy')}`;
  await management('PUT', path, { 'apply-to': 'quorum_queues', ...policy, pattern: `^${queue}$` });
  cleanups.push(() => management('DELETE', path));
};

it("amazon mq: with the page's policy, dead letters of a queue from 3.13 can be read any number of times on 4", async () => {
  const policy = shown(/--data '(.*)'/);
  const queue = await broker.queue('letters', { 'x-queue-type': 'quorum' });
  if (isAtLeast(broker, '4.0')) await setPolicy(queue, policy);
  await broker.send(queue, 'letter');
  for (let read = 0; read < 25; read += 1) {
    await expect
      .poll(async () => {
        const message = await broker.channel.get(queue);
        if (message) broker.channel.reject(message, true);
        return message !== false;
      })
      .toBe(true);
  }
  expect((await broker.take(queue)).content.toString()).toContain('letter');
});

it('amazon mq: a policy like AWS-DEFAULT hides that of retries in the queue, and the keys of both in one policy do not', async () => {
  const canDelay = isAtLeast(broker, '4.3.1');
  const queue = unique('orders');
  const topology = compileTopology(
    readSection({ retryInQueue: true, queues: { [queue]: { retryDelays: [1, 60] } } }),
  );
  cleanups.push(async () => {
    for (const { name } of topology.queues) {
      if (name.startsWith(queue)) await broker.channel.deleteQueue(name);
    }
    if (canDelay) await management('DELETE', `/policies/%2F/warren.retry.${queue}`);
  });
  const problems = async () =>
    (
      await placeTopology(topology, { url: stack.AMQP_URL, managementUrl: stack.AMQP_MANAGEMENT_URL })
    ).problems.filter((problem) => problem.includes(queue));
  const both = shown(/the keys of both:\n\n```json\n(.*)\n```/);
  const { 'max-length': maxLength, overflow } = both;
  // Older brokers make copies, and 3.10 has no policies for quorum queues only.
  if (!canDelay) return expect(await problems()).toEqual([]);
  await setPolicy(queue, { definition: { 'max-length': maxLength, overflow }, priority: 0 });
  expect(await problems()).toEqual([expect.stringContaining('takes precedence')]);
  await setPolicy(queue, { definition: both, priority: 10 });
  expect(await problems()).toEqual([]);
});
