import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Topology } from '../../../runtime/topology/compile.ts';
import { basicAuthorization } from '../../../runtime/topology/management.ts';
import { QueueStates, type QueueStatesOptions } from '../../../runtime/topology/queue-states.ts';
import { openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { withFaultyServer } from '../../support/faults.ts';
import { stack } from '../../support/stack.ts';

const patience = { timeout: 10_000, interval: 100 };

describe('QueueStates', () => {
  let broker: TestBroker;
  const opened: QueueStates[] = [];
  const logged: unknown[] = [];
  const log = { debug: () => undefined, info: () => undefined, error: () => undefined } as const;

  const open = (queues: string[], settings: Partial<QueueStatesOptions> = {}) => {
    const topology: Topology = {
      exchanges: [],
      queues: queues.map((name) => ({ name, arguments: {} })),
      bindings: queues.map((queue) => ({ queue, exchange: 'declared', routingKey: 'key' })),
    };
    const made = new QueueStates({
      url: stack.AMQP_URL,
      managementUrl: stack.AMQP_MANAGEMENT_URL,
      topology,
      name: unique('queues'),
      log: { ...log, warn: (...entry: unknown[]) => void logged.push(entry) },
      ...settings,
    });
    opened.push(made);
    return made;
  };
  const first = async (queues: QueueStates) => (await queues.read())[0];

  beforeAll(async () => {
    broker = await openBroker();
  });
  afterAll(async () => {
    await Promise.all(opened.map((queues) => queues.close()));
    await broker.close();
  });

  it('queue states: waiting messages, messages in flight and consumers are counted', async () => {
    const queue = await broker.queue();
    const queues = open([queue]);
    expect(await first(queues)).toMatchObject({ queue, kind: 'work', ready: 0, consumers: 0 });
    for (const text of ['a', 'b', 'c']) await broker.send(queue, text);
    expect(await first(queues)).toMatchObject({ ready: 3 });
    const { consumerTag } = await broker.channel.consume(queue, () => undefined);
    await expect.poll(() => first(queues), patience).toMatchObject({ ready: 0, inFlight: 3, consumers: 1 });
    await broker.channel.cancel(consumerTag);
    broker.channel.ackAll();
    await expect.poll(() => first(queues), patience).toMatchObject({ ready: 0, inFlight: 0, consumers: 0 });
  });

  it('queue states: repeated reads take no message from a queue', async () => {
    const queue = await broker.queue();
    await broker.send(queue, 'stay');
    const queues = open([queue]);
    for (let turn = 0; turn < 5; turn += 1) expect(await first(queues)).toMatchObject({ ready: 1 });
    expect((await broker.take(queue)).fields.redelivered).toBe(false);
  });

  it('queue states: the bindings are those of the broker and not those of the topology', async () => {
    const queue = await broker.queue();
    const exchange = await broker.exchange('topic');
    await broker.channel.bindQueue(queue, exchange, 'found.*');
    await expect
      .poll(async () => (await first(open([queue])))?.bindings, patience)
      .toEqual([{ exchange, routingKey: 'found.*' }]);
  });

  it('queue states: a missing queue does not end the read', async () => {
    const [missing, queue] = [unique('missing'), await broker.queue()];
    const queues = open([missing, queue, unique('missing')]);
    for (const turn of ['first', 'second']) {
      expect(await queues.read(), turn).toMatchObject([
        { queue: missing, ready: null, consumers: null },
        { queue, ready: 0, consumers: 0 },
        { ready: null },
      ]);
    }
  });

  it('queue states: the dead-letter queue has a kind of its own', async () => {
    const states = await open(['warren.dead-letters', 'critical']).read();
    expect(states.map(({ kind }) => kind)).toEqual(['dead-letters', 'work']);
  });

  it.each([
    ['is not known', undefined],
    ['is away', 'http://user:secret-word@127.0.0.1:9'],
    ['refuses the login', stack.AMQP_MANAGEMENT_URL.replace(/:[^:@/]+@/, ':secret-word@')],
  ])(
    'queue states: without in-flight counts and without a password in the log if the management API %s',
    async (_what, managementUrl) => {
      const queue = await broker.queue();
      const binding = { exchange: 'declared', routingKey: 'key' };
      expect(await first(open([queue], { managementUrl }))).toMatchObject({
        ready: 0,
        inFlight: null,
        consumers: 0,
        bindings: [binding],
      });
      expect(JSON.stringify(logged)).not.toContain('secret-word');
    },
  );

  it('queue states: a silent broker or management API does not block the read', async () => {
    const queue = await broker.queue();
    await withFaultyServer(
      () => undefined,
      async (port) => {
        const managed = open([queue], { managementUrl: `http://u:p@127.0.0.1:${port}`, timeoutMs: 300 });
        expect(await first(managed)).toMatchObject({ ready: 0, inFlight: null });
        const silent = open([queue], { url: `amqp://u:p@127.0.0.1:${port}`, timeoutMs: 300 });
        await expect(silent.read()).rejects.toMatchObject({ code: 'ERR_UNAVAILABLE' });
      },
    );
  });

  it('queue states: the queues are read from the second address if the first is unavailable', async () => {
    const queue = await broker.queue();
    const queues = open([queue], { url: `amqp://127.0.0.1:1,${stack.AMQP_URL}` });
    expect((await first(queues))?.ready).toBe(0);
  });

  it('queue states: a closed connection is opened again', async () => {
    const queue = await broker.queue();
    const name = unique('cut');
    const queues = open([queue], { name });
    await queues.read();
    await closeConnection(name);
    const looked = async () => (await first(queues).catch(() => undefined))?.ready;
    await expect.poll(looked, patience).toBe(0);
  });
});

/** As an operator would, on the management page. */
async function closeConnection(name: string): Promise<void> {
  const { origin } = new URL(stack.AMQP_MANAGEMENT_URL);
  const headers = { authorization: basicAuthorization(stack.AMQP_MANAGEMENT_URL) };
  const find = async () => {
    const response = await fetch(`${origin}/api/connections`, { headers });
    const all = (await response.json()) as {
      name: string;
      client_properties: { connection_name?: string };
    }[];
    return all.find((each) => each.client_properties.connection_name === name)?.name;
  };
  await expect.poll(find, patience).toBeDefined();
  await fetch(`${origin}/api/connections/${encodeURIComponent((await find()) ?? '')}`, {
    method: 'DELETE',
    headers,
  });
}
