import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyTopology } from '../../../runtime/topology/apply.ts';
import { compileTopology } from '../../../runtime/topology/compile.ts';
import { diffTopology } from '../../../runtime/topology/diff.ts';
import { placeTopology } from '../../../runtime/topology/place.ts';
import { type BrokerPolicy, canRetryInQueue, queueRetries } from '../../../runtime/topology/queue-retry.ts';
import { QueueStates } from '../../../runtime/topology/queue-states.ts';
import { applyRetryPolicies, hidingPolicy } from '../../../runtime/topology/retry-policies.ts';
import { readSection } from '../../../runtime/topology/schema.ts';
import { management, openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { isAtLeast } from '../../support/broker-version.ts';
import { stack } from '../../support/stack.ts';

const { AMQP_URL: url, AMQP_MANAGEMENT_URL: managementUrl } = stack;
const patience = { timeout: 20_000, interval: 100 };
const queue = unique('policies.of');
const topologyOf = (first: number, retryInQueue = true) =>
  compileTopology(
    readSection({
      retryInQueue,
      queues: { [queue]: { retryDelays: [first, 600] }, [`${queue}.calls`]: { kind: 'rpc' } },
    }),
  );

describe('policies for retries in the queue', () => {
  let broker: TestBroker;
  let canDelay: boolean;
  beforeAll(async () => {
    broker = await openBroker();
    canDelay = isAtLeast(broker, '4.3.1');
  });
  afterAll(async () => {
    for (const { name } of topologyOf(1).queues) {
      if (name.startsWith(queue)) await broker.channel.deleteQueue(name);
    }
    if (canDelay) await management('DELETE', `/policies/%2F/warren.retry.${queue}`);
    await broker.close();
  });

  it.each([
    [[1, 10, 60], 1],
    [[5, 5, 5, 60], 3],
    [[60], 1],
    [[61, 1], 0],
    [[], 0],
  ])('of the delays %j, %i can wait in the queue', (delays, count) => {
    expect(queueRetries(delays)).toBe(count);
  });

  it.each([
    ['3.10.8', false],
    ['4.2.9', false],
    ['4.3.0', false],
    ['4.3.1', true],
    ['4.10.0', true],
    ['5.0.0-rc.1', true],
    ['', false],
  ])('RabbitMQ %s accepts the policy: %j', (version, accepts) => {
    expect(canRetryInQueue(version)).toBe(accepts);
  });

  it('a topology without retryInQueue, or without the management API, sets no policy', async () => {
    const none = { changed: [], unchanged: 0, hidden: [] };
    expect(await applyRetryPolicies(topologyOf(1, false), { url, managementUrl })).toEqual({
      skipped: 'not-declared',
      ...none,
    });
    expect(await applyRetryPolicies(topologyOf(1), { url, managementUrl: undefined })).toEqual({
      skipped: 'no-management',
      ...none,
    });
  });

  it('a placement reports policies that it cannot set without the management API', async () => {
    const missing = 'policies for retries in the queue are not set: AMQP_MANAGEMENT_URL is missing';
    const problems = async (retryInQueue: boolean) =>
      (await placeTopology(topologyOf(1, retryInQueue), { url, managementUrl: undefined })).problems;
    expect(await problems(true)).toContain(missing);
    expect(await problems(false)).not.toContain(missing);
  });

  it('policies are set once, follow a change of the delays, appear in the difference, and report one that hides them', async () => {
    const apply = (first = 1) => applyRetryPolicies(topologyOf(first), { url, managementUrl });
    const differences = async (first = 1) =>
      (await diffTopology(topologyOf(first), { managementUrl, vhost: '%2F' })).filter(({ what }) =>
        what.includes('warren.retry.'),
      );
    await applyTopology(url, topologyOf(1));
    if (!canDelay) {
      expect(await apply()).toEqual({ skipped: 'old-broker', changed: [], unchanged: 0, hidden: [] });
      return expect(await differences()).toEqual([]);
    }
    const name = `warren.retry.${queue}`;
    expect(await differences()).toEqual([{ what: `policy "${name}"`, kind: 'missing' }]);
    expect(await apply()).toEqual({ changed: [name], unchanged: 0, hidden: [] });
    expect(await apply()).toEqual({ changed: [], unchanged: 1, hidden: [] });
    expect(await differences()).toEqual([]);
    expect(await differences(2)).toEqual([{ what: `policy "${name}"`, kind: 'outdated' }]);
    expect(await apply(2)).toEqual({ changed: [name], unchanged: 0, hidden: [] });

    const own = unique('own');
    const problems = async () =>
      (await placeTopology(topologyOf(2), { url, managementUrl })).problems.filter((each) =>
        each.includes('use copies'),
      );
    const definition: Record<string, unknown> = { 'max-length': 1000 };
    const put = () =>
      management('PUT', `/policies/%2F/${own}`, {
        pattern: `^${queue}$`,
        definition,
        'apply-to': 'queues',
      });
    try {
      await put();
      expect(await apply(2)).toEqual({ changed: [], unchanged: 1, hidden: [{ queue, policy: own }] });
      const advice = `its policy "${own}" takes precedence; add the keys of "${name}" to it`;
      expect(await problems()).toEqual([`retries of queue "${queue}" use copies: ${advice}`]);
      const ms = { 'delayed-retry-min': 2000, 'delayed-retry-max': 2000 };
      Object.assign(definition, { 'delayed-retry-type': 'returned', ...ms });
      await put();
      expect(await apply(2)).toEqual({ changed: [], unchanged: 1, hidden: [] });
      expect(await problems()).toEqual([]);
    } finally {
      await management('DELETE', `/policies/%2F/${own}`);
    }
  });

  it('messages that wait in their queue for a retry are counted as retrying, and not as ready', async () => {
    if (!canDelay) return expect(isAtLeast(broker, '4.3.1')).toBe(false);
    const topology = topologyOf(30);
    await applyTopology(url, topology);
    await applyRetryPolicies(topology, { url, managementUrl });
    const states = new QueueStates({ url, managementUrl, topology, name: unique('states') });
    try {
      await broker.send(queue, 1);
      const message = await broker.channel.get(queue);
      if (message) broker.channel.nack(message, false, true);
      const stateOf = async () => (await states.read()).find((each) => each.queue === queue);
      await expect.poll(stateOf, patience).toMatchObject({ ready: 0, inFlight: 0, retrying: 1, overdue: 0 });
    } finally {
      await states.close();
    }
  });
});

describe('policies that hide ours', () => {
  const wanted = {
    name: 'ours',
    pattern: '^q$',
    definition: { 'max-length': 1 },
    priority: -9,
    'apply-to': 'queues',
  };
  const theirs = { ...wanted, name: 'theirs', definition: { 'message-ttl': 1 }, priority: 0 };
  const hiding = (type: string, ...all: BrokerPolicy[]) => {
    const [declared] = topologyOf(1).queues;
    if (!declared) throw new Error('expected a queue');
    return hidingPolicy(all, { ...declared, name: 'q', arguments: { 'x-queue-type': type } }, wanted)?.name;
  };

  it.each([
    ['classic', 'classic_queues', true],
    ['classic', 'quorum_queues', false],
    ['quorum', 'quorum_queues', true],
    ['quorum', 'classic_queues', false],
    ['quorum', 'all', true],
    ['quorum', 'exchanges', false],
  ])('a %s queue and a policy for %s: hidden is %s', (type, target, expected) => {
    expect(hiding(type, { ...theirs, 'apply-to': target })).toBe(expected ? 'theirs' : undefined);
  });

  it('of several policies, the one with the highest priority counts, and hides ours if it lacks our keys', () => {
    const merged = {
      ...wanted,
      name: 'merged',
      definition: { 'max-length': 1, 'message-ttl': 1 },
      priority: 10,
    };
    expect(hiding('quorum', theirs, merged)).toBeUndefined();
    expect(hiding('quorum', { ...theirs, priority: 11 }, merged)).toBe('theirs');
    expect(hiding('quorum', { ...theirs, pattern: '^other$', priority: 11 }, merged)).toBeUndefined();
    expect(hiding('quorum', wanted)).toBeUndefined();
  });
});
