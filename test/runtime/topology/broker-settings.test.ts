import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listDeadLetters } from '../../../runtime/dead-letters/dead-letters.ts';
import { applyTopology } from '../../../runtime/topology/apply.ts';
import { compileTopology } from '../../../runtime/topology/compile.ts';
import { diffTopology } from '../../../runtime/topology/diff.ts';
import { placeTopology } from '../../../runtime/topology/place.ts';
import { readSection } from '../../../runtime/topology/schema.ts';
import {
  dropLetters,
  management,
  openBroker,
  type TestBroker,
  unique,
  withBroker,
} from '../../support/broker.ts';
import { isAtLeast } from '../../support/broker-version.ts';
import { stack } from '../../support/stack.ts';

const patience = { timeout: 20_000, interval: 100 };

describe('settings of a queue and an exchange that the broker applies', () => {
  let broker: TestBroker;
  const made: string[] = [];

  beforeAll(async () => {
    broker = await openBroker();
  });
  afterAll(async () => {
    for (const queue of made) await broker.remove(queue);
    await broker.close();
  });

  const compiled = (queue: string, settings: object) =>
    compileTopology(readSection({ retryDelays: [1], queues: { [queue]: settings } }));
  const declare = async (settings: object, queue = unique('set')) => {
    made.push(queue);
    await applyTopology(stack.AMQP_URL, compiled(queue, settings));
    return queue;
  };
  const argumentsAt = async (queue: string) =>
    (await management<{ arguments: Record<string, unknown> }>('GET', `/queues/%2F/${queue}`)).arguments;
  /** The outcome of a publish on a channel of its own. */
  const accepts = async (queue: string) =>
    broker.send(queue, 'x').then(
      () => true,
      () => false,
    );

  it('queue settings: each becomes an argument of its queue, and applying them twice changes nothing', async () => {
    const settings = {
      messageTtl: 60,
      maxLength: 5,
      maxLengthBytes: 1000,
      initialGroupSize: 1,
      deliveryLimit: 3,
    };
    const queue = await declare(settings);
    await declare(settings, queue);
    expect(await argumentsAt(queue)).toMatchObject({
      'x-message-ttl': 60_000,
      'x-max-length': 5,
      'x-max-length-bytes': 1000,
      'x-quorum-initial-group-size': 1,
      'x-delivery-limit': 3,
      'x-overflow': 'reject-publish',
    });
  });

  it('queue settings: a full work queue refuses messages, and keeps those it has', async () => {
    const queue = await declare({ maxLength: 2 });
    // A quorum queue refuses messages a moment after it is full.
    await expect.poll(() => accepts(queue), patience).toBe(false);
    expect(await broker.count(queue)).toBeGreaterThanOrEqual(2);
  });

  it('queue settings: a full queue of kind rpc drops its oldest message, or refuses new ones if set so', async () => {
    const queue = await declare({ kind: 'rpc', maxLength: 1 });
    for (const n of [1, 2]) await broker.send(queue, n);
    expect((await broker.drain(queue)).map(({ content }) => content.toString())).toEqual(['2']);
    const strict = await declare({ kind: 'rpc', maxLength: 1, overflow: 'reject-publish' });
    await expect.poll(() => accepts(strict), patience).toBe(false);
    expect((await broker.drain(strict)).length).toBeGreaterThan(0);
  });

  it('queue settings: a message that waits for longer than messageTtl is dead-lettered', async () => {
    const queue = await declare({ messageTtl: 1 });
    await broker.send(queue, 'late');
    await expect.poll(() => listDeadLetters(stack.AMQP_URL, { queue }), patience).toHaveLength(1);
    await dropLetters({ queue }, 1);
  });

  it('queue settings: deliveryLimit is the number of deliveries before the broker dead-letters a message', async () => {
    const queue = await declare({ deliveryLimit: 1 });
    await broker.send(queue, 'again');
    const requeued = async () => {
      const message = await broker.channel.get(queue);
      if (message) broker.channel.reject(message, true);
      return (await listDeadLetters(stack.AMQP_URL, { queue })).length;
    };
    await expect.poll(requeued, patience).toBe(1);
    await dropLetters({ queue }, 1);
  });

  it('queue settings: from RabbitMQ 4.0 on, a message of higher priority overtakes, and before it the setting is refused', async () => {
    const queue = unique('set');
    if (!isAtLeast(broker, '4.0')) {
      await expect(applyTopology(stack.AMQP_URL, compiled(queue, { priorities: true }))).rejects.toThrow(
        /priorities: expected RabbitMQ 4\.0 or later, got 3\./,
      );
      expect(await diff(queue, { priorities: true })).toContainEqual({
        what: `queue "${queue}"`,
        kind: 'different',
        property: 'priorities',
        declared: true,
        found: expect.stringMatching(/^RabbitMQ 3\./),
      });
      return;
    }
    await declare({ priorities: true }, queue);
    for (const priority of [1, 1, 20]) await broker.send(queue, priority, { priority });
    expect(JSON.parse((await broker.take(queue)).content.toString())).toBe(20);
  });

  it('queue settings: from RabbitMQ 4.3 on there are 32 priorities, and on 4.0 two', async () => {
    if (!isAtLeast(broker, '4.0')) return expect(isAtLeast(broker, '3.10')).toBe(true);
    const queue = await declare({ priorities: true });
    for (const priority of [5, 20, 31]) await broker.send(queue, priority, { priority });
    const order = (await broker.drain(queue)).map(({ content }) => JSON.parse(content.toString()));
    expect(order).toEqual(isAtLeast(broker, '4.3') ? [31, 20, 5] : [5, 20, 31]);
  });

  const managed = { url: stack.AMQP_URL, managementUrl: stack.AMQP_MANAGEMENT_URL };
  const diff = async (queue: string, settings: object) => {
    const options = { managementUrl: stack.AMQP_MANAGEMENT_URL, vhost: '%2F' };
    const all = await diffTopology(compiled(queue, settings), options);
    return all.filter(({ what }) => what.includes(queue));
  };

  /** The problems that applying the settings of a queue reports. */
  const place = async (queue: string, settings: object) =>
    (await placeTopology(compiled(queue, settings), managed)).problems;

  it('queue settings: a limit that an existing queue cannot have is named, and all else is applied, also a lower limit', async () => {
    const queue = await declare({ maxLength: 5, deliveryLimit: 3 });
    const settings = { maxLength: 6, deliveryLimit: 3, messageTtl: 60, retryDelays: [1, 7] };
    const grown = { maxLength: 5, deliveryLimit: 3, initialGroupSize: 3 };
    const difference = { what: `queue "${queue}"`, property: 'x-max-length', declared: 6, found: 5 };
    expect(await diff(queue, settings)).toContainEqual({ ...difference, kind: 'kept' });
    const named = expect.stringMatching(/keeps x-max-length: expected 6, got 5.*delete it when/);
    for (let times = 0; times < 2; times += 1) expect(await place(queue, settings)).toEqual([named]);
    expect(await diff(queue, settings)).toEqual([{ ...difference, kind: 'kept' }]);
    expect(await argumentsAt(queue)).toMatchObject({ 'x-max-length': 5 });
    expect(await management('GET', `/policies/%2F/warren.limits.${queue}`)).toMatchObject({
      definition: { 'message-ttl': 60_000 },
    });
    expect(await argumentsAt(`${queue}.retry.7s`)).toMatchObject({ 'x-message-ttl': 7000 });
    expect(await place(queue, { maxLength: 5, deliveryLimit: 3 })).toEqual([]);
    expect(await place(queue, grown)).toEqual([expect.stringMatching(/keeps x-quorum-initial-group-size/)]);
  });

  it('queue settings: what an existing queue cannot have and its function depends on stops apply, which names it', async () => {
    const queue = await declare({ maxLength: 5 });
    const settings = { maxLength: 6, singleActiveConsumer: true };
    await expect(place(queue, settings)).rejects.toThrow(
      /'x-max-length'.*'6'.*'5'.*a queue keeps its arguments/,
    );
    expect(await diff(queue, settings)).toContainEqual(
      expect.objectContaining({ kind: 'different', property: 'x-single-active-consumer' }),
    );
  });

  it('queue settings: overflow of an existing queue of kind rpc is set by a policy, which goes with the setting', async () => {
    const calls = { kind: 'rpc', maxLength: 1 };
    const strict = { ...calls, overflow: 'reject-publish' };
    const queue = await declare(calls);
    const set = { what: `queue "${queue}"`, kind: 'outdated', property: 'x-overflow' };
    expect(await diff(queue, strict)).toEqual([{ ...set, declared: 'reject-publish' }]);
    for (let times = 0; times < 2; times += 1) expect(await place(queue, strict)).toEqual([]);
    expect(await diff(queue, strict)).toEqual([]);
    await expect.poll(() => accepts(queue), patience).toBe(false);
    const ends = { what: `policy "warren.limits.${queue}"`, kind: 'outdated', property: 'overflow' };
    // The API reports the policy of a queue a moment later.
    await expect.poll(() => diff(queue, calls), patience).toEqual([{ ...ends, found: 'reject-publish' }]);
    expect(await place(queue, calls)).toEqual([]);
    expect(await diff(queue, calls)).toEqual([]);
    // RabbitMQ 3.10 goes on to refuse a channel that it has refused.
    await withBroker(async (other) => {
      const sends = () =>
        other.send(queue, 'newest').then(
          () => true,
          () => false,
        );
      await expect.poll(sends, patience).toBe(true);
      const kept = await other.drain(queue);
      expect(kept.map(({ content }) => JSON.parse(content.toString()))).toEqual(['newest']);
    });
  });

  it('queue settings: an overflow that a queue of kind rpc was declared with is named, and all else is applied', async () => {
    const strict = { kind: 'rpc', maxLength: 2, overflow: 'reject-publish' };
    const queue = await declare(strict);
    const calls = { kind: 'rpc', maxLength: 1, overflow: 'drop-head' };
    const named = expect.stringMatching(/keeps x-overflow: expected "drop-head", got "reject-publish"/);
    expect(await place(queue, calls)).toEqual([named]);
    expect(await diff(queue, calls)).toEqual([
      {
        what: `queue "${queue}"`,
        kind: 'kept',
        property: 'x-overflow',
        declared: 'drop-head',
        found: 'reject-publish',
      },
    ]);
    expect(await place(queue, { kind: 'rpc', maxLength: 1 })).toEqual([
      expect.stringMatching(/keeps x-overflow: expected none, got "reject-publish"/),
    ]);
    expect(await management('GET', `/policies/%2F/warren.limits.${queue}`)).toMatchObject({
      definition: { 'max-length': 1 },
    });
    // What it was declared with is the default.
    const same = await declare({ kind: 'rpc', overflow: 'drop-head' });
    expect(await place(same, { kind: 'rpc' })).toEqual([]);
    expect(await diff(same, { kind: 'rpc' })).toEqual([]);
  });

  it('queue settings: a lower or another limit of an existing queue is set by a policy, which follows the settings and goes with them', async () => {
    const queue = await declare({ maxLength: 1000 });
    const before = await argumentsAt(queue);
    const settings = { maxLength: 2, messageTtl: 3600 };
    expect(await diff(queue, settings)).toEqual([
      { what: `queue "${queue}"`, kind: 'lowered', property: 'x-message-ttl', declared: 3_600_000 },
      { what: `queue "${queue}"`, kind: 'lowered', property: 'x-max-length', declared: 2, found: 1000 },
    ]);
    const name = `warren.limits.${queue}`;
    const changes = async (wanted: object) =>
      (await placeTopology(compiled(queue, wanted), managed)).limitPolicies?.changed;
    expect(await changes(settings)).toEqual([name]);
    expect(await changes(settings)).toEqual([]);
    expect(await diff(queue, settings)).toEqual([]);
    expect(await argumentsAt(queue)).toEqual(before);
    await expect.poll(() => accepts(queue), patience).toBe(false);

    expect(await changes({ maxLength: 3 })).toEqual([name]);
    expect(await management('GET', `/policies/%2F/${name}`)).toMatchObject({
      definition: { 'max-length': 3 },
    });
    // The API reports the policy of a queue a moment later.
    const ends = [{ what: `policy "${name}"`, kind: 'outdated', property: 'max-length', found: 3 }];
    await expect.poll(() => diff(queue, { maxLength: 1000 }), patience).toEqual(ends);
    // What has an effect now is the policy, not the argument.
    const raised = {
      what: `queue "${queue}"`,
      kind: 'lowered',
      property: 'x-max-length',
      declared: 9,
      found: 3,
    };
    expect(await diff(queue, { maxLength: 9 })).toEqual([raised]);
    expect(await changes({ maxLength: 1000 })).toEqual([name]);
    await expect.poll(() => diff(queue, { maxLength: 1000 }), patience).toEqual([]);
    // RabbitMQ 3.10 goes on to refuse a channel that it has refused.
    await withBroker(async (other) => {
      await expect
        .poll(
          () =>
            other.send(queue, 'x').then(
              () => true,
              () => false,
            ),
          patience,
        )
        .toBe(true);
    });
  });

  it('queue settings: a limit that another policy hides is reported, and so is a management API that cannot be asked', async () => {
    const queue = await declare({ maxLength: 1000 });
    const own = unique('own');
    const policy = { pattern: `^${queue}$`, definition: { 'max-length': 500 }, 'apply-to': 'queues' };
    await management('PUT', `/policies/%2F/${own}`, policy);
    try {
      const { problems } = await placeTopology(compiled(queue, { maxLength: 2 }), managed);
      expect(problems).toEqual([expect.stringContaining(`its policy "${own}" takes precedence`)]);
      const wrong = Object.assign(new URL(stack.AMQP_MANAGEMENT_URL), { password: 'wrong' }).href;
      const other = await placeTopology(compiled(queue, { maxLength: 1000 }), {
        ...managed,
        managementUrl: wrong,
      });
      expect(other).toMatchObject({
        limitPolicies: undefined,
        problems: [expect.stringContaining('are not compared')],
      });
    } finally {
      for (const name of [own, `warren.limits.${queue}`]) await management('DELETE', `/policies/%2F/${name}`);
    }
  });

  it('topology diff: names each missing, different and surplus part, and nothing that is as declared', async () => {
    const queue = await declare({ maxLength: 5, deliveryLimit: 3 });
    const exchange = await broker.exchange('topic');
    await broker.channel.bindQueue(queue, exchange, 'extra');
    const surplus = { what: `binding of "${queue}" to "${exchange}" by "extra"`, kind: 'surplus' };
    await expect.poll(() => diff(queue, { maxLength: 5, deliveryLimit: 3 }), patience).toEqual([surplus]);
    expect(await diff(queue, { maxLength: 6, retryDelays: [1, 7] })).toEqual([
      { what: `queue "${queue}.retry.7s"`, kind: 'missing' },
      { what: `queue "${queue}"`, kind: 'kept', property: 'x-delivery-limit', declared: 20, found: 3 },
      { what: `queue "${queue}"`, kind: 'kept', property: 'x-max-length', declared: 6, found: 5 },
      { what: `binding of "${queue}.retry.7s" to "warren.retry" by "${queue}.retry.7s"`, kind: 'missing' },
      surplus,
    ]);
  });

  it('exchange settings: a message without a binding goes to the alternate exchange', async () => {
    const [main, other, queue] = [unique('main'), unique('other'), unique('rest')];
    made.push(queue);
    const section = {
      retryDelays: [1],
      exchanges: { [main]: { type: 'topic', alternateExchange: other }, [other]: { type: 'fanout' } },
      queues: { [queue]: { bindings: [{ exchange: other }] } },
    };
    await applyTopology(stack.AMQP_URL, compileTopology(readSection(section)));
    await broker.publish(main, 'nothing', 'rest');
    expect((await broker.take(queue)).fields.exchange).toBe(main);
    for (const exchange of [main, other]) await broker.channel.deleteExchange(exchange);
  });

  it('exchange settings: further arguments are declared, applying them twice changes nothing, and a difference is reported', async () => {
    const exchange = unique('main');
    const topology = (alternate: string) =>
      compileTopology(
        readSection({
          exchanges: { [exchange]: { type: 'topic', arguments: { 'alternate-exchange': alternate } } },
        }),
      );
    for (let times = 0; times < 2; times += 1) await applyTopology(stack.AMQP_URL, topology('amq.fanout'));
    expect(await management('GET', `/exchanges/%2F/${exchange}`)).toMatchObject({
      arguments: { 'alternate-exchange': 'amq.fanout' },
    });
    const options = { managementUrl: stack.AMQP_MANAGEMENT_URL, vhost: '%2F' };
    const found = await diffTopology(topology('amq.topic'), options);
    expect(found.filter(({ what }) => what.includes(exchange))).toEqual([
      {
        what: `exchange "${exchange}"`,
        kind: 'different',
        property: 'alternate-exchange',
        declared: 'amq.topic',
        found: 'amq.fanout',
      },
    ]);
    await broker.channel.deleteExchange(exchange);
  });

  it.each<[string, object]>([
    ['overflow: expected reject-publish', { queues: { one: { overflow: 'drop-head' } } }],
    ['deliveryLimit: expected no value for kind rpc', { queues: { one: { kind: 'rpc', deliveryLimit: 3 } } }],
    ['priorities: expected no value for kind rpc', { queues: { one: { kind: 'rpc', priorities: true } } }],
    [
      'alternate exchange "none", which is not declared',
      { exchanges: { one: { type: 'topic', alternateExchange: 'none' } } },
    ],
  ])('queue settings: a contradiction is refused: %s', (problem, section) => {
    expect(() => compileTopology(readSection(section))).toThrow(problem);
  });
});
