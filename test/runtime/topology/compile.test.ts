import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WarrenError } from '../../../runtime/base/errors.ts';
import { applyTopology } from '../../../runtime/topology/apply.ts';
import { compileTopology, type Topology } from '../../../runtime/topology/compile.ts';
import { consumedQueues } from '../../../runtime/topology/consumed-queues.ts';
import { readSection } from '../../../runtime/topology/schema.ts';
import { readTopology, toService } from '../../../runtime/topology/service-file.ts';
import { management, openBroker, type TestBroker, unique, withBroker } from '../../support/broker.ts';
import { stack } from '../../support/stack.ts';

const problemOf = (section: unknown, consumed?: readonly string[]): string => {
  try {
    compileTopology(readSection(section), consumed);
  } catch (error) {
    if (error instanceof WarrenError && error.code === 'ERR_TOPOLOGY') return error.message;
    throw error;
  }
  throw new Error('expected compileTopology to throw');
};

/** A variable as serverless.yml contains it. */
const variable = (name: string) => `\${${name}}`;

const argumentsOf = (topology: Topology, queue: string) =>
  topology.queues.find(({ name }) => name === queue)?.arguments;

describe('compileTopology', () => {
  it('topology: a work queue has a delivery limit and dead-letters to warren.dead', () => {
    expect(argumentsOf(compileTopology(readSection({ queues: { critical: {} } })), 'critical')).toEqual({
      'x-queue-type': 'quorum',
      'x-delivery-limit': 20,
      'x-dead-letter-exchange': 'warren.dead',
      'x-dead-letter-routing-key': 'critical',
      'x-dead-letter-strategy': 'at-least-once',
      'x-overflow': 'reject-publish',
    });
  });

  it('topology: an RPC queue is a classic queue without further arguments', () => {
    const topology = compileTopology(readSection({ queues: { ping: { kind: 'rpc' } } }));
    expect(argumentsOf(topology, 'ping')).toEqual({ 'x-queue-type': 'classic' });
  });

  it('topology: each work queue has a retry queue for each of its delays, whose time to live is an argument of the queue', () => {
    const queues = { orders: {}, own: { retryDelays: [5] }, ping: { kind: 'rpc' } };
    const topology = compileTopology(readSection({ retryDelays: [2, 30], queues }));
    const retries = topology.queues.filter(({ retryOf }) => retryOf !== undefined);
    expect(retries.map(({ name, retryOf }) => [name, retryOf])).toEqual([
      ['orders.retry.2s', 'orders'],
      ['orders.retry.30s', 'orders'],
      ['own.retry.5s', 'own'],
    ]);
    expect(argumentsOf(topology, 'orders.retry.30s')).toEqual({
      'x-queue-type': 'quorum',
      'x-message-ttl': 30_000,
      'x-dead-letter-exchange': 'warren.home',
      'x-dead-letter-routing-key': 'orders',
      'x-dead-letter-strategy': 'at-least-once',
      'x-overflow': 'reject-publish',
    });
    expect(topology.exchanges).toContainEqual({ name: 'warren.retry', type: 'direct' });
    expect(topology.bindings).toContainEqual({
      queue: 'orders.retry.30s',
      exchange: 'warren.retry',
      routingKey: 'orders.retry.30s',
    });
  });

  it('topology: each work queue is bound to the home exchange, whose alternate is the exchange of dead letters', () => {
    const topology = compileTopology(readSection({ queues: { orders: {}, ping: { kind: 'rpc' } } }));
    expect(topology.exchanges).toContainEqual({
      name: 'warren.home',
      type: 'direct',
      arguments: { 'alternate-exchange': 'warren.dead' },
    });
    const home = topology.bindings.filter(({ exchange }) => exchange === 'warren.home');
    expect(home).toEqual([{ queue: 'orders', exchange: 'warren.home', routingKey: 'orders' }]);
  });

  it('topology: a queue with the name of a retry queue, and a name without room for its retry queue, are refused', () => {
    const long = 'q'.repeat(250);
    const queues = { orders: {}, 'orders.retry.5s': { kind: 'rpc' }, [long]: {} };
    const compile = () => compileTopology(readSection({ retryDelays: [5], queues }));
    expect(compile).toThrow('queue "orders.retry.5s" has the name of a retry queue of "orders"');
    expect(compile).toThrow(`retry queue "${long}.retry.5s": expected a name of at most 255 bytes, got 259`);
  });

  it('topology: without custom.warren there are the dead letters, and the exchanges of retries', () => {
    const topology = compileTopology(readSection(undefined));
    expect(topology.exchanges).toMatchObject([
      { name: 'warren.dead', type: 'topic' },
      { name: 'warren.retry', type: 'direct' },
      { name: 'warren.home', type: 'direct' },
    ]);
    expect(topology.bindings).toEqual([
      { queue: 'warren.dead-letters', exchange: 'warren.dead', routingKey: '#' },
    ]);
    expect(topology.queues.map(({ name }) => name)).toEqual(['warren.dead-letters']);
  });

  it('topology: queues are bound as declared', () => {
    const bindings = [{ exchange: 'alerts', routingKey: 'critical.*' }, { exchange: 'pictures' }];
    const exchanges = { alerts: { type: 'topic' }, pictures: { type: 'fanout' } };
    expect(
      compileTopology(readSection({ exchanges, queues: { q: { bindings } } })).bindings.slice(-2),
    ).toEqual([
      { queue: 'q', exchange: 'alerts', routingKey: 'critical.*' },
      { queue: 'q', exchange: 'pictures', routingKey: '' },
    ]);
  });

  it('topology: a name at the broker takes the place of the key, and others refer to it', () => {
    const { exchanges, queues, bindings } = compileTopology(
      readSection({
        exchanges: { orders: { name: 'orders-prod', type: 'topic' } },
        queues: { ship: { name: 'ship-prod', bindings: [{ exchange: 'orders-prod', routingKey: '#' }] } },
      }),
      ['ship-prod'],
    );
    expect(exchanges[0]).toEqual({ name: 'orders-prod', type: 'topic' });
    expect(queues.at(-1)).toMatchObject({
      name: 'ship-prod',
      arguments: { 'x-dead-letter-routing-key': 'ship-prod' },
    });
    expect(bindings.at(-1)).toEqual({ queue: 'ship-prod', exchange: 'orders-prod', routingKey: '#' });
  });

  it('topology: the error names every undeclared exchange of a binding and every undeclared consumed queue', () => {
    const queues = { q: { bindings: [{ exchange: 'a' }, { exchange: 'constructor' }] } };
    const message = problemOf({ queues }, ['q', 'missing', 'toString']);
    expect(message).toContain('queue "q" is bound to exchange "a", which is not declared');
    expect(message).toContain('queue "q" is bound to exchange "constructor", which is not declared');
    expect(message).toContain('a function consumes queue "missing", which is not declared');
    expect(message).toContain('a function consumes queue "toString", which is not declared');
    expect(message).not.toContain('consumes queue "q"');
  });

  it('topology: a binding to a headers exchange keeps its arguments', () => {
    const args = { 'x-match': 'any', country: 'nz', urgent: true, tries: 3, signed: null };
    const queues = { q: { bindings: [{ exchange: 'orders', arguments: args }] } };
    const section = readSection({ exchanges: { orders: { type: 'headers' } }, queues });
    expect(compileTopology(section).bindings.at(-1)).toEqual({
      queue: 'q',
      exchange: 'orders',
      routingKey: '',
      arguments: args,
    });
  });

  it.each([
    ['without arguments', 'headers', undefined, 'names no header to match'],
    ['with x-match only', 'headers', { 'x-match': 'any' }, 'names no header to match'],
    [
      'with only headers that x-match does not compare',
      'headers',
      { 'x-kind': 'a' },
      'names no header to match',
    ],
    ['with an x-match of no known kind', 'headers', { 'x-match': 'some', a: '1' }, 'expected all, any'],
    ['with arguments to a topic exchange', 'topic', { a: '1' }, 'only an exchange of type headers reads'],
  ])('topology: a binding %s is refused', (_what, type, args, problem) => {
    const queues = { q: { bindings: [{ exchange: 'orders', ...(args && { arguments: args }) }] } };
    const message = problemOf({ exchanges: { orders: { type } }, queues });
    expect(message).toContain('queue "q" is bound to exchange "orders"');
    expect(message).toContain(problem);
  });

  it.each([
    ['a key it does not know', { queue: {} }, 'queue'],
    [
      'an exchange of no known type',
      { exchanges: { a: { type: 'tropic' } } },
      'custom.warren.exchanges.a.type',
    ],
    ['a queue of no known kind', { queues: { a: { kind: 'jobs' } } }, 'custom.warren.queues.a.kind'],
    ['an exchange with arguments', { exchanges: { a: { type: 'topic', durable: false } } }, 'durable'],
    ['the name of a reserved queue', { queues: { 'warren.mine': {} } }, 'warren.mine'],
    ['the name of a reserved exchange', { exchanges: { 'amq.mine': { type: 'topic' } } }, 'amq.mine'],
    ['no delays', { retryDelays: [] }, 'custom.warren.retryDelays'],
    ['a delay of half a second', { retryDelays: [0.5] }, 'custom.warren.retryDelays.0'],
    [
      'a queue with a variable',
      { queues: { [`q-${variable('sls:stage')}`]: {} } },
      'custom.warren.queues: expected a text',
    ],
    [
      'an exchange with a variable',
      { exchanges: { [variable('env:E')]: { type: 'topic' } } },
      'custom.warren.exchanges',
    ],
    [
      'a routing key with a variable',
      { queues: { q: { bindings: [{ exchange: 'a', routingKey: variable('env:K') }] } } },
      'custom.warren.queues.q.bindings.0.routingKey',
    ],
    [
      'a section that is a variable',
      variable('file(warren.yml)'),
      'custom.warren: expected a text without variables',
    ],
    ['a name that two queues have', { queues: { a: {}, b: { name: 'a' } } }, 'custom.warren.queues.b'],
    ['a delay above a day', { retryDelays: [86_401] }, 'custom.warren.retryDelays.0'],
  ])('topology: the error names the place of %s', (_what, section, place) => {
    expect(problemOf(section)).toContain(place);
  });
});

describe('consumedQueues', () => {
  it('consumed queues: they are the queues of the rabbitmq events', () => {
    const functions = {
      a: { events: [{ rabbitmq: { queue: 'one' } }, { httpApi: 'GET /' }, 'other'] },
      b: {},
      c: { events: [{ rabbitmq: { queue: 'two' } }] },
    };
    expect(consumedQueues(functions)).toEqual(['one', 'two']);
  });
});

describe('readTopology', () => {
  it('serverless.yml: the topology of this project is consistent', async () => {
    const { queues } = await readTopology();
    expect(queues.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['critical', 'resize-picture', 'ping', 'warren.dead-letters']),
    );
  });

  it('serverless.yml: a variable in place of custom, functions or one of them is refused', () => {
    const places = [
      { custom: variable('file(a.yml)') },
      { functions: [variable('file(a.yml)')] },
      { functions: { a: variable('a') } },
    ];
    const problems = places.map((each) => {
      try {
        return toService(each);
      } catch (error) {
        return error instanceof WarrenError && error.code === 'ERR_TOPOLOGY' ? error.message : error;
      }
    });
    expect(problems).toEqual(
      ['custom', 'functions', 'functions.a'].map((place) =>
        expect.stringContaining(`${place}: expected a mapping; if a variable is in its place`),
      ),
    );
  });

  it('serverless.yml: a variable in custom.warren.source is accepted, because only a deployment reads it', () => {
    expect(toService({ custom: { warren: { source: variable('param:source') } } }).section.queues).toEqual(
      {},
    );
  });

  it('serverless.yml: the error names a missing file', async () => {
    await expect(readTopology('/no/such/serverless.yml')).rejects.toMatchObject({
      code: 'ERR_TOPOLOGY',
      message: expect.stringContaining('/no/such/serverless.yml'),
    });
  });
});

interface Listed {
  type: string;
  durable: boolean;
  arguments: Record<string, unknown>;
}

describe('applyTopology', () => {
  let broker: TestBroker;
  beforeAll(async () => {
    broker = await openBroker();
  });
  afterAll(() => broker.close());

  const listed = (what: 'queues' | 'exchanges', name: string) =>
    management<Listed>('GET', `/${what}/%2F/${encodeURIComponent(name)}`);

  it('apply: a second call changes nothing', async () => {
    const [exchange, work, rpc] = [unique('alerts'), unique('work'), unique('rpc')];
    const topology = compileTopology(
      readSection({
        exchanges: { [exchange]: { type: 'topic' } },
        queues: {
          [work]: { bindings: [{ exchange, routingKey: 'critical.*' }] },
          [rpc]: { kind: 'rpc', bindings: [{ exchange, routingKey: rpc }] },
        },
      }),
    );
    try {
      await applyTopology(stack.AMQP_URL, topology);
      await broker.publish(exchange, 'critical.cpu', 1);
      await applyTopology(stack.AMQP_URL, topology);
      expect(await broker.count(work)).toBe(1);
      expect(await listed('exchanges', exchange)).toMatchObject({
        type: 'topic',
        durable: true,
        arguments: {},
      });
      expect(await listed('queues', work)).toMatchObject({
        durable: true,
        type: 'quorum',
        arguments: argumentsOf(topology, work),
      });
      expect(await listed('queues', rpc)).toMatchObject({ durable: true, type: 'classic' });
    } finally {
      await broker.remove(work);
      await broker.remove(rpc);
      await broker.channel.deleteExchange(exchange);
    }
  });

  it('apply: a headers exchange routes only messages that match the arguments of the binding', async () => {
    const [exchange, any, all] = [unique('orders'), unique('any'), unique('all')];
    const bound = (args: Record<string, unknown>) => ({ bindings: [{ exchange, arguments: args }] });
    const topology = compileTopology(
      readSection({
        exchanges: { [exchange]: { type: 'headers' } },
        queues: {
          [any]: bound({ 'x-match': 'any', country: 'nz', express: true }),
          [all]: bound({ country: 'nz', signed: null }),
        },
      }),
    );
    try {
      await applyTopology(stack.AMQP_URL, topology);
      await broker.publish(exchange, '', 'any', { headers: { country: 'nz' } });
      await broker.publish(exchange, '', 'both', { headers: { country: 'nz', signed: 'by hand' } });
      await broker.publish(exchange, '', 'none', { headers: { country: 'de', signed: 'by hand' } });
      await broker.publish(exchange, '', 'none', {});
      expect([await broker.count(any), await broker.count(all)]).toEqual([2, 1]);
    } finally {
      await broker.remove(any);
      await broker.remove(all);
      await broker.channel.deleteExchange(exchange);
    }
  });

  it('apply: the dead-letter queue has no delivery limit', async () => {
    const { type, arguments: args } = await listed('queues', 'warren.dead-letters');
    expect(type).toBe('quorum');
    const { rabbitmq_version } = await management<{ rabbitmq_version: string }>('GET', '/overview');
    const unlimited = Number.parseInt(rabbitmq_version, 10) >= 4 ? -1 : undefined;
    expect(args['x-delivery-limit']).toBe(unlimited);
  });

  it('apply: the error names the difference of a queue that exists with other arguments, and the queue is unchanged', async () => {
    const queue = unique('other');
    const topology = compileTopology(readSection({ queues: { [queue]: {} } }));
    const args = { ...argumentsOf(topology, queue), 'x-delivery-limit': 5 };
    await broker.channel.assertQueue(queue, { arguments: args });
    try {
      await broker.send(queue, 'precious');
      const applying = applyTopology(stack.AMQP_URL, topology);
      await expect(applying).rejects.toMatchObject({ code: 'ERR_TOPOLOGY' });
      await expect(applying).rejects.toThrow(`queue "${queue}" can't be declared`);
      await expect(applying).rejects.toThrow(/'x-delivery-limit'.*'20'.*'5'/);
      expect(await broker.count(queue)).toBe(1);
      expect((await listed('queues', queue)).arguments['x-delivery-limit']).toBe(5);
    } finally {
      await broker.remove(queue);
    }
  });

  it('apply: the error names an exchange that exists with another type', async () => {
    const exchange = await broker.exchange('fanout');
    const topology = compileTopology(readSection({ exchanges: { [exchange]: { type: 'topic' } } }));
    const applying = applyTopology(stack.AMQP_URL, topology);
    await expect(applying).rejects.toThrow(`exchange "${exchange}" can't be declared`);
    await expect(applying).rejects.toThrow(/type/);
  });

  it('apply: the error names a binding that the broker refuses', async () => {
    await withBroker(async (own) => {
      const [queue, exchange] = [await own.queue(), unique('missing')];
      const binding = { queue, exchange, routingKey: '#' };
      const applying = applyTopology(stack.AMQP_URL, { exchanges: [], queues: [], bindings: [binding] });
      await expect(applying).rejects.toMatchObject({ code: 'ERR_TOPOLOGY' });
      await expect(applying).rejects.toThrow(`binding of "${queue}" to "${exchange}" can't be declared`);
      await expect(applying).rejects.toThrow('NOT_FOUND');
    });
  });

  it('apply: the error names a queue that is not durable', async () => {
    await withBroker(async ({ channel }) => {
      const queue = unique('transient');
      await channel.assertQueue(queue, { exclusive: true, durable: false });
      const applying = applyTopology(
        stack.AMQP_URL,
        compileTopology(readSection({ queues: { [queue]: { kind: 'rpc' } } })),
      );
      await expect(applying).rejects.toThrow(`queue "${queue}" can't be declared`);
    });
  });

  it('apply: a refused login has the code ERR_BROKER_REFUSED', async () => {
    const url = new URL(stack.AMQP_URL);
    url.password = 'wrong';
    await expect(applyTopology(url.href, compileTopology(readSection({})))).rejects.toMatchObject({
      code: 'ERR_BROKER_REFUSED',
    });
  });
});
