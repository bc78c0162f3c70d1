import { setMaxListeners } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../../../runtime/base/log.ts';
import type { EventSource } from '../../../../runtime/event-source/event-source.ts';
import { HostUnavailableError, type Invoke } from '../../../../runtime/event-source/invoke.ts';
import { createLongPoll } from '../../../../runtime/hosts/long-poll.ts';
import { createMetrics } from '../../../../runtime/hosts/metrics.ts';
import { deadLetters, parkedQueue, partitionQueue } from '../../../../runtime/topology/names.ts';
import { readSection } from '../../../../runtime/topology/schema.ts';
import type { PerKey } from '../../../../runtime/topology/token-names.ts';
import { compileUsers } from '../../../../runtime/topology/user-rights.ts';
import { applyUsers } from '../../../../runtime/topology/users.ts';
import { management, unique } from '../../../support/broker.ts';
import { feeding, messagesIn, patience } from '../../../support/feeding.ts';
import { stack } from '../../../support/stack.ts';
import { openVhost, type TestVhost } from '../../../support/vhost.ts';

const queue = 'mails';
interface Body {
  tenant: string;
  n: number;
}

describe('a queue with limits for each key', () => {
  let vhost: TestVhost;
  let perKey: PerKey;
  let partitions: number;
  const sources: EventSource[] = [];
  const sectionOf = (shares: object) => ({
    retryDelays: [1],
    exchanges: { shop: { type: 'topic' } },
    queues: {
      [queue]: {
        perKey: { of: 'header.tenant', ...shares },
        partitions,
        bindings: [{ exchange: 'shop', routingKey: 'mail.*' }],
      },
    },
  });
  const open = async (shares: object, count = 1, settings: object = {}) => {
    partitions = count;
    const section = { ...sectionOf(shares), ...settings };
    vhost = await openVhost(section);
    const { of: _, ...rest } = readSection(section).queues[queue]?.perKey ?? { of: '' };
    perKey = rest;
  };
  afterEach(async () => {
    await Promise.all(sources.splice(0).map((source) => source.stop()));
    await vhost.close();
  });

  const send = (tenant: string, n: number, bytes = 0) => {
    const content = Buffer.from(JSON.stringify({ tenant, n, text: '.'.repeat(bytes) }));
    const options = { mandatory: true, headers: { tenant }, messageId: `${tenant} ${n}` };
    vhost.channel.publish('shop', 'mail.new', content, options);
  };
  /** @param firstBytes size of the first: after a large message, a worker reads no further ahead than 1,000. */
  const publish = async (tenant: string, count: number, firstBytes = 0) => {
    for (let n = 0; n < count; n += 1) send(tenant, n, n === 0 ? firstBytes : 0);
    await vhost.channel.waitForConfirms();
  };
  const start = async (invoke: Invoke, settings: Parameters<typeof feeding>[2] = {}) => {
    const order = { by: 'header.tenant', partitions, perKey };
    const source = await feeding(queue, invoke, {
      url: vhost.url,
      order,
      concurrency: 8,
      batchSize: 1,
      maxMessageBytes: 64 * 1024,
      ...settings,
    });
    sources.push(source);
    return source;
  };
  const bodiesOf = (event: Parameters<Invoke>[0]) => messagesIn(event).map(({ body }) => body as Body);
  const nameOf = ({ tenant, n }: Body) => `${tenant} ${n}`;

  it('perKey: over several workers, no key has more calls at a time than its concurrency, and every message is done once', async () => {
    await open({ concurrency: 2 }, 4);
    const running = new Map<string, number>();
    const most = new Map<string, number>();
    const done: string[] = [];
    const invoke: Invoke = async (event) => {
      const [body] = bodiesOf(event) as [Body];
      const now = (running.get(body.tenant) ?? 0) + 1;
      running.set(body.tenant, now);
      most.set(body.tenant, Math.max(now, most.get(body.tenant) ?? 0));
      await pause(5);
      running.set(body.tenant, (running.get(body.tenant) ?? 0) - 1);
      done.push(nameOf(body));
    };
    for (let n = 0; n < 2; n += 1) await start(invoke);
    for (const tenant of ['ann', 'bob', 'cid', 'dan']) await publish(tenant, 60);
    await expect.poll(() => done.length, patience).toBe(240);
    expect(new Set(done).size).toBe(240);
    expect([...most.values()].filter((each) => each > 2)).toEqual([]);
  });

  it('perKey: a long poll that waits for the limit of a key does not end as idle', async () => {
    await open({ limit: '1/2 seconds' });
    await publish('ann', 2);
    const done: string[] = [];
    const mapping = { functionName: 'fed', queue, vhost: '/', arn: 'arn:test', batchSize: 1, windowMs: 0 };
    const order = { by: 'header.tenant', partitions, perKey };
    const long = createLongPoll({
      url: vhost.url,
      mappings: [{ ...mapping, order, invokeAs: 'fed', timeoutMs: 1000 }],
      invoke: () => async (event) => void done.push(...bodiesOf(event).map(nameOf)),
      idleMs: 500,
    });
    const end = performance.now() + 60_000;
    await long({}, { getRemainingTimeInMillis: () => end - performance.now() });
    expect(done).toEqual(['ann 0', 'ann 1']);
  });

  it('perKey: no key has more messages in a time than its limit, also when its partition is handed over', async () => {
    await open({ limit: '5/second' });
    const begun: number[] = [];
    const done = new Set<string>();
    const beganAt = performance.now();
    const invoke: Invoke = async (event) => {
      begun.push(performance.now() - beganAt);
      for (const body of bodiesOf(event)) done.add(nameOf(body));
    };
    const first = await start(invoke);
    await publish('ann', 17);
    await expect.poll(() => begun.length, patience).toBeGreaterThanOrEqual(7);
    await start(invoke);
    await first.stop();
    await expect.poll(() => done.size, patience).toBe(17);
    // Each has waited for as many periods as those before it need, and the first ones for that of an earlier worker.
    const early = begun.filter((at, index) => at < (Math.floor(index / 5) + 1) * 999);
    expect(early).toEqual([]);
  });

  it('perKey: messages that the worker has room for are not moved aside, and of more than 1,000 that may be large it leaves room for 256 on their way', async () => {
    await open({ concurrency: 1 });
    await publish('ann', 700, 40_000);
    const released = new AbortController();
    const done = new Set<string>();
    try {
      await start(async (event) => {
        await pause(60_000, undefined, released).catch(() => undefined);
        for (const body of bodiesOf(event)) done.add(nameOf(body));
      });
      const parked = parkedQueue(partitionQueue(queue, 0));
      await expect.poll(() => vhost.count(partitionQueue(queue, 0)), patience).toBe(0);
      expect(await vhost.count(parked)).toBe(0);
      for (let n = 700; n < 2000; n += 1) send('ann', n);
      await vhost.channel.waitForConfirms();
      await expect.poll(() => vhost.count(parked), patience).toBe(2000 - (1000 - 256));
    } finally {
      released.abort();
    }
    await expect.poll(() => done.size, { ...patience, timeout: 60_000 }).toBe(2000);
  }, 100_000);

  const behindBacklog = async (settings: Parameters<typeof feeding>[2], before: () => Promise<void>) => {
    const released = new AbortController();
    const done = new Set<string>();
    const invoke: Invoke = async (event) => {
      const [body] = bodiesOf(event) as [Body];
      if (body.tenant === 'ann') await pause(60_000, undefined, released).catch(() => undefined);
      done.add(nameOf(body));
    };
    try {
      await start(invoke, settings);
      await before();
      await expect.poll(() => done.has('bob 9'), patience).toBe(true);
      expect(await vhost.count(parkedQueue(partitionQueue(queue, 0)))).toBe(0);
    } finally {
      released.abort();
    }
    const ofAnn = () => [...done].filter((name) => name.startsWith('ann')).length;
    await expect.poll(ofAnn, { ...patience, timeout: 60_000 }).toBe(3000);
  };

  it.each([5000, 64 * 1024])(
    'perKey: ten messages behind 3,000 small ones of another key are done before any of those is moved aside, with maxMessageBytes %i',
    async (maxMessageBytes) => {
      await open({ concurrency: 1 });
      await publish('ann', 3000);
      await publish('bob', 10);
      await behindBacklog({ maxMessageBytes }, async () => undefined);
    },
    100_000,
  );

  it('perKey: a worker whose messages were small reads further ahead as soon as it has none', async () => {
    await open({ concurrency: 1 });
    let subscribed = 0;
    const info = (fields: object) => {
      if ('queue' in fields && fields.queue === partitionQueue(queue, 0)) subscribed += 1;
    };
    await behindBacklog({ log: { ...silentLog, info } }, async () => {
      // One by one, so that they are no backlog.
      for (let n = 0; n < 30; n += 1) await publish(`cid ${n}`, 1);
      await expect.poll(() => subscribed, patience).toBe(2);
      await publish('ann', 3000);
      await publish('bob', 10);
    });
    expect(subscribed).toBe(2);
  }, 100_000);

  it('perKey: messages of a key that are above its share wait aside, and those of another key behind them are done before', async () => {
    await open({ concurrency: 1 });
    const done: string[] = [];
    const exchanges = new Set<string>();
    const attempts = new Set<number>();
    /** Messages that were done when all of the other key were. */
    let before: number | undefined;
    await publish('ann', 1500, 40_000);
    await publish('bob', 10);
    await start(async (event) => {
      const [body] = bodiesOf(event) as [Body];
      for (const { attempt, exchange, routingKey } of messagesIn(event)) {
        attempts.add(attempt);
        exchanges.add(`${exchange} ${routingKey}`);
      }
      if (before === undefined) await pause(20);
      done.push(nameOf(body));
      if (done.filter((name) => name.startsWith('bob')).length === 10) before ??= done.length;
    });
    await expect.poll(() => before, patience).toBeLessThan(750);
    await expect.poll(() => done.length, { ...patience, timeout: 60_000 }).toBe(1510);
    expect(new Set(done).size).toBe(1510);
    expect([...attempts]).toEqual([1]);
    expect([...exchanges]).toEqual(['shop mail.new']);
    const parked = parkedQueue(partitionQueue(queue, 0));
    await expect.poll(() => vhost.count(parked), patience).toBe(0);
    expect(await vhost.count(deadLetters)).toBe(0);
  }, 100_000);

  it('perKey: ten messages behind those of sixty tenants whose calls do not end are done, also if messages may be large', async () => {
    await open({ concurrency: 1 });
    const busy = Array.from({ length: 60 }, (_, n) => `busy ${n}`);
    for (const tenant of busy) await publish(tenant, 20, tenant === 'busy 0' ? 40_000 : 0);
    await publish('quiet', 10);
    const done = new Set<string>();
    const released = new AbortController();
    // One for each call.
    setMaxListeners(0, released.signal);
    try {
      const invoke: Invoke = async (event) => {
        const [body] = bodiesOf(event) as [Body];
        if (body.tenant === 'quiet') done.add(nameOf(body));
        else await pause(60_000, undefined, released).catch(() => undefined);
      };
      await start(invoke, { concurrency: 100 });
      await expect.poll(() => done.size, patience).toBe(10);
    } finally {
      released.abort();
    }
  });

  it('perKey: messages that wait aside are done by the next worker, also if no other message comes', async () => {
    await open({ concurrency: 1 });
    const [partition, parked] = [partitionQueue(queue, 0), parkedQueue(partitionQueue(queue, 0))];
    for (let n = 0; n < 5; n += 1) {
      const content = Buffer.from(JSON.stringify({ tenant: 'ann', n }));
      vhost.channel.sendToQueue(parked, content, { headers: { tenant: 'ann' } });
    }
    await vhost.channel.waitForConfirms();
    const done = new Set<string>();
    await start(async (event) => {
      for (const body of bodiesOf(event)) done.add(nameOf(body));
    });
    await expect.poll(() => done.size, patience).toBe(5);
    expect([await vhost.count(partition), await vhost.count(parked)]).toEqual([0, 0]);
  });

  it('perKey: a message that fails is retried, and the others of its key go on', async () => {
    await open({ concurrency: 1 });
    const steps: string[] = [];
    await start(async (event) => {
      const [{ tenant, n }] = bodiesOf(event) as [Body];
      const [attempt] = messagesIn(event).map((message) => message.attempt);
      steps.push(`${tenant} ${n} ${attempt}`);
      if (n === 0 && attempt === 1) throw new Error('it fails once');
    });
    await publish('ann', 3);
    await expect.poll(() => steps.length, patience).toBe(4);
    expect(steps).toEqual(['ann 0 1', 'ann 1 1', 'ann 2 1', 'ann 0 2']);
  });

  it('perKey: a call that did not reach the function counts, and is made again when the limit allows another one', async () => {
    await open({ limit: '1/second' });
    const calls: number[] = [];
    const beganAt = performance.now();
    await start(async () => {
      calls.push(performance.now() - beganAt);
      if (calls.length < 3) throw new HostUnavailableError('no host');
    });
    await publish('ann', 1);
    await expect.poll(() => calls.length, patience).toBe(3);
    expect(calls.filter((at, index) => at < (index + 1) * 999)).toEqual([]);
  });

  it('perKey: a message that expires while it waits is not handled, also if the broker has moved it aside', async () => {
    await open({ concurrency: 1 });
    const [partition, parked] = [partitionQueue(queue, 0), parkedQueue(partitionQueue(queue, 0))];
    const send = (n: number, expiration: number) => {
      const content = Buffer.from(JSON.stringify({ tenant: 'ann', n }));
      vhost.channel.sendToQueue(partition, content, { headers: { tenant: 'ann' }, expiration });
    };
    send(0, 1);
    await expect.poll(() => vhost.count(parked), patience).toBe(1);
    // Refused as one that has no room is, and with time left when it comes back.
    send(1, 3_600_000);
    const { consumerTag } = await vhost.channel.consume(
      partition,
      (message) => message && vhost.channel.reject(message, false),
    );
    await expect.poll(() => vhost.count(parked), patience).toBe(2);
    await vhost.channel.cancel(consumerTag);
    const done: number[] = [];
    const expiring: unknown[] = [];
    await start(async (event) => {
      for (const { headers } of messagesIn(event)) expiring.push(headers['x-warren-expires-at']);
      for (const { n } of bodiesOf(event)) done.push(n);
    });
    await expect.poll(() => done.length, patience).toBe(1);
    const left = async () => [await vhost.count(partition), await vhost.count(parked)];
    await expect.poll(left, patience).toEqual([0, 0]);
    await sources.splice(0)[0]?.stop();
    expect([done, await left()]).toEqual([[1], [0, 0]]);
    const hours = (new Date(String(expiring[0])).getTime() - Date.now()) / 3_600_000;
    expect(hours).toBeGreaterThan(0.5);
    expect(hours).toBeLessThan(1.1);
  });

  it('perKey: a metric shows that the messages of a worker wait for the limits of their keys', async () => {
    await open({ limit: '1/minute' });
    const metrics = createMetrics();
    const waiting = async () => /warren_waiting_for_limit\{.*\} (\d)/.exec((await metrics.read()).text)?.[1];
    const source = await start(async () => undefined, { observer: metrics.observer });
    await publish('ann', 1);
    await expect.poll(waiting, patience).toBe('1');
    await source.stop();
    expect(await waiting()).toBe('0');
    metrics.close();
  });

  it('perKey: a metric counts the keys in hand of each partition by what their first message does', async () => {
    await open({ concurrency: 1 });
    const metrics = createMetrics();
    const keys = async () => {
      const { text } = await metrics.read();
      const found = [...text.matchAll(/^warren_partition_keys\{.*state="(\w+)"\} (\d+)$/gm)];
      return Object.fromEntries(found.map(([, state, count]) => [state, Number(count)]));
    };
    let finish: () => void = () => undefined;
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const source = await start(() => finished, { observer: metrics.observer, concurrency: 1 });
    await publish('ann', 1);
    await expect.poll(keys, patience).toEqual({ running: 1, waiting: 0, retrying: 0 });
    await publish('bob', 1);
    await expect.poll(keys, patience).toEqual({ running: 1, waiting: 1, retrying: 0 });
    finish();
    await expect.poll(keys, patience).toEqual({ running: 0, waiting: 0, retrying: 0 });
    await source.stop();
    expect(await keys()).toEqual({});
    metrics.close();
  });

  it('perKey: a login that runs the function needs no other right to messages that wait aside', async () => {
    const name = unique('worker');
    const users = { [name]: { functions: ['send'] } };
    await open({ concurrency: 1 }, 1, { users });
    const section = readSection({ ...sectionOf({ concurrency: 1 }), users });
    const rights = compileUsers(section, { send: { events: [{ rabbitmq: { queue } }] } });
    const managementUrl = stack.AMQP_MANAGEMENT_URL;
    await applyUsers({ managementUrl, vhost: vhost.name, users: rights, passwords: { [name]: 'secret' } });
    try {
      await publish('ann', 100);
      const done = new Set<string>();
      const url = Object.assign(new URL(vhost.url), { username: name, password: 'secret' }).href;
      await start(
        async (event) => {
          for (const body of bodiesOf(event)) done.add(nameOf(body));
        },
        { url },
      );
      await expect.poll(() => done.size, patience).toBe(100);
    } finally {
      await management('DELETE', `/users/${name}`);
    }
  });
});
