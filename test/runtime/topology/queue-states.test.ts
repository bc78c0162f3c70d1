import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Topology } from '../../../runtime/topology/compile.ts';
import { retryName } from '../../../runtime/topology/names.ts';
import { QueueStates, type QueueStatesOptions } from '../../../runtime/topology/queue-states.ts';
import { openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { withFaultyServer } from '../../support/faults.ts';
import { stack } from '../../support/stack.ts';

const patience = { timeout: 10_000, interval: 100 };

describe('the state of the queues', () => {
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

  it('counts what waits, what is in flight and who consumes', async () => {
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

  it('takes no message out of any, however often it looks', async () => {
    const queue = await broker.queue();
    await broker.send(queue, 'stay');
    const queues = open([queue]);
    for (let turn = 0; turn < 5; turn += 1) expect(await first(queues)).toMatchObject({ ready: 1 });
    expect((await broker.take(queue)).fields.redelivered).toBe(false);
  });

  it('tells the bindings that are there, and not those that were planned', async () => {
    const queue = await broker.queue();
    const exchange = await broker.exchange('topic');
    await broker.channel.bindQueue(queue, exchange, 'found.*');
    await expect
      .poll(async () => (await first(open([queue])))?.bindings, patience)
      .toEqual([{ exchange, routingKey: 'found.*' }]);
  });

  it('goes on after a queue that is missing', async () => {
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

  it('tells the queues apart in which messages wait for another try, or for an operator', async () => {
    const states = await open(['warren.dead-letters', retryName(1), 'critical']).read();
    expect(states.map(({ kind }) => kind)).toEqual(['dead-letters', 'retry', 'work']);
  });

  it.each([
    ['is not known', undefined],
    ['is away', 'http://user:secret-word@127.0.0.1:9'],
    ['refuses the login', stack.AMQP_MANAGEMENT_URL.replace(/:[^:@/]+@/, ':secret-word@')],
  ])('tells what it can where the management API %s, and no password', async (_what, managementUrl) => {
    const queue = await broker.queue();
    const binding = { exchange: 'declared', routingKey: 'key' };
    expect(await first(open([queue], { managementUrl }))).toMatchObject({
      ...{ ready: 0, inFlight: null, consumers: 0, bindings: [binding] },
    });
    expect(JSON.stringify(logged)).not.toContain('secret-word');
  });

  it('does not wait for a broker or a management API that says nothing', async () => {
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

  it('finds the broker again', async () => {
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
  const { origin, username, password } = new URL(stack.AMQP_MANAGEMENT_URL);
  const headers = { authorization: `Basic ${btoa(`${username}:${password}`)}` };
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
