import type { Socket } from 'node:net';
import type { Channel } from 'amqplib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { BrokerConnection } from '../../../runtime/amqp/connection.ts';
import { loginOf } from '../../../runtime/amqp/login.ts';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { type Log, silentLog } from '../../../runtime/base/log.ts';
import {
  FunctionFailedError,
  HostUnavailableError,
  type Invoke,
} from '../../../runtime/event-source/invoke.ts';
import type { Mapping } from '../../../runtime/event-source/mapping.ts';
import { Poller, type PollerOptions } from '../../../runtime/event-source/poller.ts';
import type { RabbitMQEvent } from '../../../runtime/messages/event.ts';
import { type ReceivedMessage, readEvent } from '../../../runtime/messages/received.ts';
import {
  dropLetters,
  findConnection,
  management,
  openBroker,
  type TestBroker,
  unique,
} from '../../support/broker.ts';
import { proxyTo, withFaultyServer } from '../../support/faults.ts';
import { stack } from '../../support/stack.ts';

let broker: TestBroker;
let publisher: Publisher;
const cleanups: (() => Promise<void>)[] = [];

beforeAll(async () => {
  broker = await openBroker();
  publisher = new Publisher({ url: stack.AMQP_URL, name: unique('poller-publisher') });
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
afterAll(async () => {
  await publisher.close();
  await broker.close();
});

interface Started {
  poller: Poller;
  /** Name of its connection. */
  name: string;
  /** Number of its subscriptions: one at the start, and another one for each change of its prefetch. */
  subscriptions(): number;
  /** Number of channels that it has closed. */
  closes(): number;
  /** Number of its channels that are closed, as far as it knows: the broker requeues their messages before it notifies their client. */
  closed(): number;
  /** Its last prefetch. */
  prefetch(): number;
  /** Whether the broker has answered its last subscription. */
  isConsuming(): boolean;
}

/** A poller that consumes a queue. It is stopped after the test, when its function has been released. */
const pollerOf = (
  queue: string,
  invoke: Invoke,
  options: Partial<Mapping> & Partial<Omit<PollerOptions, 'mapping'>> & { url?: string } = {},
): Started => {
  const { batchSize = 10, windowMs = 50, policy, maxMessageBytes, url = stack.AMQP_URL, ...rest } = options;
  const name = unique('poller');
  const connection = new BrokerConnection({ url, name });
  const limits = { batchSize, windowMs, policy, maxMessageBytes };
  const mapping = { functionName: 'f', queue, vhost: '/', arn: 'arn:test', ...limits };
  let [subscriptions, closes, closed, prefetch] = [0, 0, 0, 0];
  let isConsuming = false;
  const counting = {
    discard: (of: Channel) => connection.discard(of),
    address: connection.address,
    addresses: connection.addresses,
    blocked: false,
    [loginOf]: () => connection[loginOf](),
    async channel() {
      const channel = await connection.channel();
      channel.on('close', () => {
        closed += 1;
      });
      const consume = channel.consume.bind(channel);
      channel.consume = async (...args: Parameters<typeof consume>) => {
        const reply = await consume(...args);
        subscriptions += 1;
        isConsuming = true;
        return reply;
      };
      const setPrefetch = channel.prefetch.bind(channel);
      channel.prefetch = (count: number) => {
        prefetch = count;
        isConsuming = false;
        return setPrefetch(count);
      };
      const close = channel.close.bind(channel);
      channel.close = () => {
        const closing = close();
        closes += 1;
        return closing;
      };
      return channel;
    },
  };
  const arrivals = { earliest: () => performance.now() };
  const poller = new Poller({ mapping, connection: counting, publisher, invoke, arrivals, ...rest });
  cleanups.push(async () => {
    await poller.stop();
    await connection.close();
  });
  return {
    poller,
    name,
    subscriptions: () => subscriptions,
    closes: () => closes,
    closed: () => closed,
    prefetch: () => prefetch,
    isConsuming: () => isConsuming,
  };
};

const start = async (...args: Parameters<typeof pollerOf>): Promise<Started> => {
  const started = pollerOf(...args);
  await started.poller.start();
  return started;
};

const bodyOf = ({ content }: ReceivedMessage): unknown => JSON.parse(content.toString());
const bodiesOf = (event: RabbitMQEvent): unknown[] => readEvent(event).map(bodyOf);

/** The messages with which a poller opens up to whole batches. */
const opensUp = 'opens up';

/** A function that records the batches of its calls, except those that only open the poller up. */
const recorder = (
  work: (bodies: unknown[], event: RabbitMQEvent) => Promise<void> | void = () => undefined,
) => {
  const batches: unknown[][] = [];
  const invoke: Invoke = async (event) => {
    if (bodiesOf(event).every((body) => body === opensUp)) return;
    batches.push(bodiesOf(event));
    await work(bodiesOf(event), event);
  };
  return { batches, invoke };
};

/** A gate at which a call waits until it is opened. A test that fails opens it too, or its poller would never stop. */
const gate = () => {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  cleanups.push(async () => open());
  return { opened, open: () => open() };
};

const fill = async (queue: string, ...bodies: unknown[]) => {
  for (const body of bodies) await broker.send(queue, body, { messageId: `${queue}-${body}` });
};
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n + 1);
const wait = { timeout: 15_000, interval: 20 };
/** One retry after a second. */
const retries = { delays: [1], maxAge: 3600 };

const prefetchOf = async (queue: string): Promise<number[]> => {
  const consumers = await management<{ queue: { name: string }; prefetch_count: number }[]>(
    'GET',
    '/consumers/%2F',
  );
  return consumers.filter((each) => each.queue.name === queue).map((each) => each.prefetch_count);
};

/** Starts a poller and waits until it takes whole batches: its prefetch doubles with each full batch that succeeds. */
const startOpen = async (...args: Parameters<typeof pollerOf>): Promise<Started> => {
  const started = await start(...args);
  const { batchSize = 10 } = args[2] ?? {};
  for (let size = 1; size < batchSize; size *= 2) {
    const opened = async () => {
      // A batch whose messages arrive too slowly is not full, and does not open the poller up.
      if ((await broker.count(args[0])) === 0 && started.prefetch() < 2 * size) {
        await fill(args[0], ...Array.from({ length: size }, () => opensUp));
      }
      return started.prefetch();
    };
    await expect.poll(opened, { ...wait, interval: 100 }).toBeGreaterThanOrEqual(2 * size);
  }
  await expect.poll(started.isConsuming, wait).toBe(true);
  return started;
};

describe('a poller', () => {
  it('a quick function handles at most two hundred messages in one turn of the event loop', async () => {
    const queue = await broker.queue();
    let [calls, inTurn, most] = [0, 0, 0];
    let turns: NodeJS.Immediate | undefined;
    const turn = () => {
      most = Math.max(most, inTurn);
      inTurn = 0;
      turns = setImmediate(turn);
    };
    cleanups.push(async () => clearImmediate(turns));
    const quick: Invoke = async () => {
      calls += 1;
      inTurn += 1;
    };
    await Promise.all(upTo(1500).map((n) => broker.send(queue, n)));
    // Not before: a loop that is never idle slows down everything else of a busy machine.
    turn();
    await start(queue, quick, { batchSize: 1 });
    await expect.poll(() => calls, wait).toBe(1500);
    expect(most).toBeGreaterThan(50);
    expect(most).toBeLessThanOrEqual(200);
  });

  it("the poller calls the function with AWS's event and acknowledges the messages", async () => {
    const queue = await broker.queue();
    const events: RabbitMQEvent[] = [];
    await fill(queue, 1);
    const { poller } = await start(queue, async (event) => {
      events.push(event);
    });
    await expect.poll(() => events.length, wait).toBe(1);
    expect(events[0]).toMatchObject({
      eventSource: 'aws:rmq',
      eventSourceArn: 'arn:test',
      rmqMessagesByQueue: { [`${queue}::/`]: [{ redelivered: false, data: 'MQ==' }] },
    });
    // A message without an acknowledgement would be back in the queue after this.
    await poller.stop();
    expect(await broker.count(queue)).toBe(0);
  });

  it('every message is handled once, in order, in batches of at most the batch size', async () => {
    const queue = await broker.queue();
    await fill(queue, ...upTo(25));
    const { batches, invoke } = recorder();
    const { poller } = await start(queue, invoke);
    await expect.poll(() => batches.flat(), wait).toEqual(upTo(25));
    const sizes = batches.map(({ length }) => length);
    expect(sizes[0]).toBe(1);
    expect(Math.max(...sizes)).toBe(10);
    await poller.stop();
    expect(await broker.count(queue)).toBe(0);
  });

  it('a full batch does not wait for its window', async () => {
    const queue = await broker.queue();
    const { batches, invoke } = recorder();
    await startOpen(queue, invoke, { batchSize: 2, windowMs: 3_600_000 });
    await fill(queue, ...upTo(4));
    await expect
      .poll(() => batches, wait)
      .toEqual([
        [1, 2],
        [3, 4],
      ]);
  });

  it('the poller takes one message at a time until the function has survived one', async () => {
    const queue = await broker.queue();
    const survives = gate();
    await start(queue, () => survives.opened, { batchSize: 5 });
    await fill(queue, 1, 2, 3);
    await expect.poll(() => prefetchOf(queue), wait).toEqual([1]);
    await expect.poll(() => broker.count(queue), wait).toBe(2);
    survives.open();
    // It doubles with each full batch: one message, then two.
    await expect.poll(() => prefetchOf(queue), wait).toEqual([4]);
  });

  it('a batch has the messages that arrive within its window', async () => {
    const queue = await broker.queue();
    const { batches, invoke } = recorder();
    await startOpen(queue, invoke, { windowMs: 1000 });
    await fill(queue, 1, 2, 3);
    await expect.poll(() => batches, wait).toEqual([[1, 2, 3]]);
  });

  it('the poller makes one call at a time', async () => {
    const queue = await broker.queue();
    await fill(queue, ...upTo(30));
    let [running, most, calls] = [0, 0, 0];
    await start(
      queue,
      async () => {
        running += 1;
        calls += 1;
        most = Math.max(most, running);
        await new Promise((resolve) => setImmediate(resolve));
        running -= 1;
      },
      { batchSize: 3 },
    );
    await expect.poll(() => calls, wait).toBeGreaterThanOrEqual(10);
    await expect.poll(() => broker.count(queue), wait).toBe(0);
    expect(most).toBe(1);
  });

  it('a batch stays below the size that one call can take', async () => {
    const queue = await broker.queue();
    const sizes: number[] = [];
    const gathered = gate();
    const body = 'x'.repeat(1_700_000);
    const { invoke } = recorder(async (_bodies, event) => {
      sizes.push(Buffer.byteLength(JSON.stringify(event)));
      if (sizes.length === 1) await gathered.opened;
    });
    // A window in which they arrive on a busy machine too.
    await startOpen(queue, invoke, { maxMessageBytes: 4_000_000, windowMs: 2000 });
    await fill(queue, 0);
    await expect.poll(() => sizes.length, wait).toBe(1);
    for (let n = 0; n < 4; n += 1) await broker.send(queue, body);
    gathered.open();
    // Each is 2.3 MB in base64: two fit, three don't.
    await expect.poll(() => sizes.length, wait).toBe(3);
    expect(Math.max(...sizes)).toBeLessThan(6_000_000);
  });

  it('the prefetch of large messages fits into memory', async () => {
    const queue = await broker.queue();
    const { batches, invoke } = recorder();
    const { prefetch } = await startOpen(queue, invoke, {
      batchSize: 20,
      windowMs: 2000,
      maxMessageBytes: 8_000_000,
    });
    expect(prefetch()).toBe(32);
    for (let n = 0; n < 3; n += 1) await broker.send(queue, 'x'.repeat(4_000_000));
    // As many as fit into 64 MB as base64.
    await expect.poll(() => prefetchOf(queue), wait).toEqual([11]);
    await expect.poll(() => batches.length, wait).toBeGreaterThan(1);
  });

  it('a message that no call can carry is dead-lettered, and the poller continues', async () => {
    const queue = await broker.queue();
    const { batches, invoke } = recorder();
    await broker.send(queue, Buffer.alloc(4_600_000, 0x20), { messageId: `${queue}-large` });
    await fill(queue, 'small');
    const { poller } = await start(queue, invoke, { maxMessageBytes: 8_000_000 });
    await expect.poll(() => batches, wait).toEqual([['small']]);
    const [letter] = await dropLetters({ queue }, 1);
    expect(letter).toMatchObject({
      id: `${queue}-large`,
      queue,
      reason: 'rejected',
      error: expect.stringContaining('6 MB'),
    });
    expect(letter?.body).toHaveLength(4_600_000);
    await poller.stop();
    expect(await broker.count(queue)).toBe(0);
  });
});

describe('a size limit', () => {
  it('a message above 1 MiB with its headers is dead-lettered unread, and the poller continues', async () => {
    const queue = await broker.queue();
    const { batches, invoke } = recorder();
    const text = 'x'.repeat(60_000);
    await broker.send(queue, Buffer.alloc(1024 ** 2 - 100, 0x20), { messageId: 'large', headers: { text } });
    await fill(queue, 'small');
    const { poller } = await start(queue, invoke);
    await expect.poll(() => batches, wait).toEqual([['small']]);
    const [letter] = await dropLetters({ queue }, 1);
    expect(letter).toMatchObject({ id: 'large', reason: 'rejected' });
    expect(letter?.error).toMatch(/^RejectedError: size: expected at most 1048576 bytes .*, got 110\d{4}$/);
    await poller.stop();
    expect(await broker.count(queue)).toBe(0);
  });

  it('a burst of messages much larger than those before it stays within the limit for bytes', async () => {
    const queue = await broker.queue();
    const calls = gate();
    const { batches, invoke } = recorder(() => calls.opened);
    const { poller, prefetch } = await startOpen(queue, invoke, {
      batchSize: 100,
      windowMs: 2000,
      maxMessageBytes: 8_000_000,
    });
    expect(prefetch()).toBe(128);
    for (let n = 0; n < 40; n += 1) await broker.send(queue, 'x'.repeat(3_000_000));
    // 16 of 4 MB as base64 fit into 64 MB; the others are in the queue again.
    await expect.poll(() => broker.count(queue), wait).toBeGreaterThan(20);
    calls.open();
    await expect.poll(() => batches.flat().length, { ...wait, timeout: 60_000 }).toBe(40);
    expect(prefetch()).toBeLessThanOrEqual(16);
    await poller.stop();
    expect(await broker.count(queue)).toBe(0);
  }, 90_000);
});

describe('a call that failed', () => {
  it('a batch that failed is called again message by message, and only the message that fails alone is retried', async () => {
    const queue = await broker.queue();
    const attempts: number[] = [];
    const { batches, invoke } = recorder((bodies, event) => {
      if (!bodies.includes('bad')) return;
      if (bodies.length === 1) attempts.push(...readEvent(event).map(({ attempt }) => attempt));
      if (attempts.length < 3) throw new FunctionFailedError('crashed');
    });
    const { poller } = await startOpen(queue, invoke, { batchSize: 4, windowMs: 3_600_000, policy: retries });
    await fill(queue, 1, 2, 'bad', 3);
    await expect.poll(() => attempts.length, wait).toBe(1);
    await expect.poll(() => batches.length, wait).toBe(5);
    expect(batches).toEqual([[1, 2, 'bad', 3], [1], [2], ['bad'], [3]]);
    await poller.stop();
    expect(await broker.count(queue)).toBe(0);
    // The copy comes back when its delay is over.
    await expect.poll(() => broker.count(queue), wait).toBe(1);
    const copy = await broker.take(queue);
    expect(copy.properties.headers).toMatchObject({ 'x-warren-attempts': 1, 'x-warren-faults': 1 });
  });

  it('a message that fails repeatedly is dead-lettered when its retries are over', async () => {
    const queue = await broker.queue();
    await fill(queue, 'bad', 'good');
    const { batches, invoke } = recorder((bodies) => {
      if (bodies.includes('bad')) throw new FunctionFailedError('crashed');
    });
    const { poller } = await start(queue, invoke, { policy: retries });
    const [letter] = await dropLetters({ id: `${queue}-bad` }, 1);
    expect(letter?.reason).toBe('exhausted');
    await expect.poll(() => batches.flat().filter((body) => body === 'good'), wait).toHaveLength(1);
    await poller.stop();
    expect(await broker.count(queue)).toBe(0);
    expect(batches.flat().filter((body) => body === 'bad')).toHaveLength(2);
  });

  it('a call failed if the function throws any value', async () => {
    const queue = await broker.queue();
    await fill(queue, 1);
    let calls = 0;
    const invoke = async () => {
      calls += 1;
      if (calls === 1) throw 'a string';
      if (calls === 2) throw new Error('connect ECONNREFUSED');
    };
    const { poller } = await start(queue, invoke, { policy: { delays: [1, 1], maxAge: 3600 } });
    await expect.poll(() => calls, wait).toBe(3);
    await poller.stop();
    expect(await broker.count(queue)).toBe(0);
  });
});

describe('a host that is unavailable', () => {
  it('an unavailable host is called again with the same messages, which no other consumer gets meanwhile', async () => {
    const queue = await broker.queue();
    await fill(queue, 1);
    const redelivered: (boolean | undefined)[] = [];
    const { batches, invoke } = recorder((_bodies, event) => {
      redelivered.push(readEvent(event)[0]?.redelivered);
      if (batches.length < 4) throw new HostUnavailableError('no host');
    });
    const { poller } = await start(queue, invoke);
    await expect.poll(() => batches, wait).toEqual([[1], [1], [1], [1]]);
    expect(redelivered).toEqual([false, false, false, false]);
    await poller.stop();
    expect(await broker.count(queue)).toBe(0);
  });

  it('the messages for an unavailable host go back to the queue when the poller stops', async () => {
    const queue = await broker.queue();
    await fill(queue, 1, 2);
    const { batches, invoke } = recorder(() => {
      throw new HostUnavailableError('no host');
    });
    const { poller } = await start(queue, invoke);
    await expect.poll(() => batches.length, wait).toBeGreaterThan(1);
    await poller.stop();
    await expect.poll(() => broker.count(queue), wait).toBe(2);
  });

  it('the time that a message waits for its call counts toward its hold', async () => {
    const queue = await broker.queue();
    const ready = gate();
    const calls: string[] = [];
    await fill(queue, 'opens up');
    const { poller } = await start(
      queue,
      async (event) => {
        const [message] = readEvent(event);
        const body = message && String(bodyOf(message));
        calls.push(`${body}${message?.redelivered ? ' again' : ''}`);
        if (body === 'first') await ready.opened;
        if (body === 'second' && !message?.redelivered) throw new HostUnavailableError('no host');
      },
      { batchSize: 1, maxHoldMs: 1000 },
    );
    await fill(queue, 'first', 'second');
    await expect.poll(() => calls, wait).toEqual(['opens up', 'first']);
    await expect.poll(() => broker.count(queue), wait).toBe(0);
    const since = performance.now();
    await expect.poll(() => performance.now() - since, wait).toBeGreaterThan(1000);
    ready.open();
    // There is no further call with these messages: it would exceed the time that a message may be held.
    await expect.poll(() => calls.slice(2), wait).toEqual(['second', 'second again']);
    await poller.stop();
  });

  it('messages that waited too long for the single calls before them go back, and are called when they come again', async () => {
    const queue = await broker.queue();
    const calls: string[] = [];
    const slow = gate();
    await fill(queue, opensUp);
    const { poller } = await start(
      queue,
      async (event) => {
        const bodies = bodiesOf(event);
        const again = readEvent(event).some(({ redelivered }) => redelivered);
        calls.push(`${bodies.join()}${again ? ' again' : ''}`);
        if (bodies.length > 1) throw new FunctionFailedError('fails as a batch');
        if (bodies[0] === 1 && !again) await slow.opened;
      },
      { batchSize: 2, windowMs: 2000, callWithinMs: 3000 },
    );
    await expect.poll(() => calls, wait).toEqual([opensUp]);
    await fill(queue, 1, 2);
    await expect.poll(() => calls, wait).toEqual([opensUp, '1,2', '1']);
    const since = performance.now();
    await expect.poll(() => performance.now() - since, wait).toBeGreaterThan(3000);
    slow.open();
    // The first is done, and the second was not called too late.
    await expect.poll(() => calls.slice(3), wait).toEqual(['2 again']);
    await poller.stop();
    expect(await broker.count(queue)).toBe(0);
  });

  it('the messages for an unavailable host go back before the broker closes the channel', async () => {
    const queue = await broker.queue();
    await fill(queue, 1);
    const redelivered: boolean[] = [];
    const { poller } = await start(
      queue,
      async (event) => {
        const [message] = readEvent(event);
        redelivered.push(message?.redelivered === true);
        if (!message?.redelivered) throw new HostUnavailableError('no host');
      },
      { maxHoldMs: 150 },
    );
    await expect.poll(() => redelivered.at(-1), wait).toBe(true);
    await poller.stop();
    expect(await broker.count(queue)).toBe(0);
  });
});

describe('a batch that the broker has taken back', () => {
  it('a batch that the broker has taken back is not called again while its host is unavailable', async () => {
    const queue = await broker.queue();
    await fill(queue, 1);
    const back = gate();
    const redelivered: boolean[] = [];
    const { poller, name, closed } = await start(queue, async (event) => {
      redelivered.push(readEvent(event)[0]?.redelivered === true);
      if (redelivered.length > 1) return;
      await back.opened;
      throw new HostUnavailableError('no host');
    });
    await (await findConnection(name)).kill();
    await expect.poll(closed, wait).toBe(1);
    await expect.poll(() => broker.count(queue), wait).toBe(1);
    back.open();
    await expect.poll(() => redelivered, wait).toEqual([false, true]);
    await poller.stop();
    expect(await broker.count(queue)).toBe(0);
  });

  it('an unavailable host is not called message by message', async () => {
    const queue = await broker.queue();
    const back = gate();
    const { batches, invoke } = recorder(async (bodies) => {
      if (bodies.length === 1) return;
      await back.opened;
      throw new FunctionFailedError('crashed');
    });
    const { poller, name, closed } = await startOpen(queue, invoke, { batchSize: 3, windowMs: 3_600_000 });
    await fill(queue, 1, 2, 3);
    await expect.poll(() => batches.length, wait).toBe(1);
    await (await findConnection(name)).kill();
    await expect.poll(closed, wait).toBe(1);
    await expect.poll(() => broker.count(queue), wait).toBe(3);
    back.open();
    // A message that waits for its call is not in the queue either, and a stop returns it.
    await expect.poll(() => batches.length, wait).toBe(4);
    await poller.stop();
    expect(await broker.count(queue)).toBe(0);
    expect(batches.slice(1).map(([body]) => body)).toEqual([1, 2, 3]);
  });
});

describe('a queue', () => {
  it('a queue that was deleted and created again is consumed again', async () => {
    const queue = await broker.queue('recreated', {});
    const { batches, invoke } = recorder();
    await startOpen(queue, invoke);
    await broker.remove(queue);
    await broker.channel.assertQueue(queue, { durable: true });
    await fill(queue, 1);
    await expect.poll(() => batches, wait).toEqual([[1]]);
  });

  it('a queue that does not exist yet is consumed when it is created', async () => {
    const queue = unique('late');
    const { batches, invoke } = recorder();
    await start(queue, invoke);
    await broker.channel.assertQueue(queue, { durable: true });
    cleanups.unshift(() => broker.remove(queue));
    await fill(queue, 1);
    await expect.poll(() => batches, wait).toEqual([[1]]);
  });
});

describe('a connection that was killed', () => {
  it('a connection that is killed between two calls causes no second call', async () => {
    const queue = await broker.queue();
    const { batches, invoke } = recorder();
    const { name } = await startOpen(queue, invoke);
    await (await findConnection(name)).kill();
    await fill(queue, 1);
    await expect.poll(() => batches, wait).toEqual([[1]]);
  });

  it('a connection that is killed during a call causes the same call again, and no message is lost', async () => {
    const queue = await broker.queue();
    const killed = gate();
    const { batches, invoke } = recorder(async () => {
      if (batches.length === 1) await killed.opened;
    });
    const { poller, name } = await startOpen(queue, invoke, { batchSize: 3, windowMs: 3_600_000 });
    await fill(queue, 1, 2, 3);
    await expect.poll(() => batches, wait).toEqual([[1, 2, 3]]);
    await (await findConnection(name)).kill();
    await expect.poll(() => broker.count(queue), wait).toBeGreaterThan(0);
    killed.open();
    await expect.poll(() => batches.slice(1).flat().length, wait).toBe(3);
    expect(new Set(batches.slice(1).flat())).toEqual(new Set([1, 2, 3]));
    // A message whose call was cut is alone in its second call.
    expect(batches.slice(1).every(({ length }) => length === 1)).toBe(true);
    await poller.stop();
    expect(await broker.count(queue)).toBe(0);
  });

  it('a stop before a channel has closed does not block the next poller', async () => {
    const queue = await broker.queue();
    const proxy = proxyTo(new URL(stack.AMQP_URL));
    const sockets: Socket[] = [];
    const serve = (socket: Socket) => {
      sockets.push(socket);
      proxy.serve(socket);
    };
    await withFaultyServer(serve, async (port) => {
      const url = Object.assign(new URL(stack.AMQP_URL), { port }).href;
      const { batches, invoke } = recorder(() => {
        if (batches.length > 1) return;
        proxy.freeze();
        throw new HostUnavailableError('no host');
      });
      await fill(queue, 1);
      // Messages that cannot be held any more go back with their channel.
      const { poller, closes } = await start(queue, invoke, { url, maxHoldMs: 0 });
      await expect.poll(closes, wait).toBe(1);
      sockets[0]?.destroy();
      await expect.poll(() => batches, wait).toEqual([[1], [1]]);
      await poller.stop();
    });
    expect(await broker.count(queue)).toBe(0);
  });
});

describe('stop', () => {
  it('stop waits for the call in flight, acknowledges it and returns the other messages to the queue', async () => {
    const queue = await broker.queue();
    const finish = gate();
    const { batches, invoke } = recorder(async () => {
      if (batches.length === 1) await finish.opened;
    });
    const { poller } = await startOpen(queue, invoke, { batchSize: 2, windowMs: 3_600_000 });
    await fill(queue, ...upTo(7));
    await expect.poll(() => batches.length, wait).toBe(1);
    let stopped = false;
    const stopping = poller.stop().then(() => {
      stopped = true;
    });
    await fill(queue, 8);
    expect(stopped).toBe(false);
    finish.open();
    await stopping;
    expect(batches).toEqual([[1, 2]]);
    await expect.poll(() => broker.count(queue), wait).toBe(6);
    const left = (await broker.drain(queue)).map(({ content }) => Number(content.toString()));
    expect(left.toSorted((a, b) => a - b)).toEqual([3, 4, 5, 6, 7, 8]);
  });

  it('stop during single calls returns the messages without a call to the queue', async () => {
    const queue = await broker.queue();
    const finish = gate();
    const { batches, invoke } = recorder(async (bodies) => {
      if (bodies.length > 1) throw new FunctionFailedError('crashed');
      if (bodies[0] === 1) await finish.opened;
    });
    const { poller } = await startOpen(queue, invoke, { batchSize: 3, windowMs: 3_600_000 });
    await fill(queue, 1, 2, 3);
    await expect.poll(() => batches.at(-1), wait).toEqual([1]);
    const stopping = poller.stop();
    finish.open();
    await stopping;
    expect(batches.at(-1)).toEqual([1]);
    await expect.poll(() => broker.count(queue), wait).toBe(2);
    expect((await broker.drain(queue)).map(({ content }) => content.toString())).toEqual(['2', '3']);
  });

  it('stop resolves at once if no call is in flight, also when it is called twice', async () => {
    const queue = await broker.queue();
    const { poller } = await start(queue, async () => undefined);
    await poller.stop();
    await poller.stop();
    await fill(queue, 1);
    expect(await broker.count(queue)).toBe(1);
  });

  it('stop ends a start that is still retrying', async () => {
    const queue = await broker.queue();
    const { poller } = pollerOf(queue, async () => undefined);
    const starting = poller.start();
    await poller.stop();
    await expect(starting).resolves.toBeUndefined();
  });
});

describe('start', () => {
  it('start throws at once if the password is wrong', async () => {
    const url = new URL(stack.AMQP_URL);
    url.password = 'wrong';
    const { poller } = pollerOf('any', async () => undefined, { url: url.href });
    await expect(poller.start()).rejects.toMatchObject({ code: 'ERR_BROKER_REFUSED' });
  });

  it('start throws at once if the virtual host does not exist', async () => {
    const url = new URL(stack.AMQP_URL);
    url.pathname = '/no-such-vhost';
    const { poller } = pollerOf('any', async () => undefined, { url: url.href });
    await expect(poller.start()).rejects.toMatchObject({ code: 'ERR_BROKER_REFUSED' });
  });

  const wrongPassword = () => {
    const url = new URL(stack.AMQP_URL);
    url.password = 'wrong';
    return url.href;
  };

  it('start throws if one of several addresses refuses the password and the others are unavailable', async () => {
    const url = `amqp://127.0.0.1:1,${wrongPassword()}`;
    const { poller } = pollerOf('any', async () => undefined, { url });
    await expect(poller.start()).rejects.toMatchObject({ code: 'ERR_BROKER_REFUSED' });
  });

  it('start uses the next of several addresses if the first refuses the login', async () => {
    const url = `${wrongPassword()},${stack.AMQP_URL}`;
    const { poller, subscriptions } = pollerOf(await broker.queue(), async () => undefined, { url });
    await poller.start();
    expect(subscriptions()).toBe(1);
  });

  it('start throws if a file named by the URL does not exist', async () => {
    const url = 'amqps://127.0.0.1:1?cacertfile=no-such-file.pem';
    const { poller } = pollerOf('any', async () => undefined, { url });
    await expect(poller.start()).rejects.toMatchObject({ code: 'ERR_CONFIG' });
  });

  it('each kind of failure is logged once while the poller retries', async () => {
    const said: unknown[] = [];
    const log = {
      ...silentLog,
      warn: ({ err }: { err?: { code?: unknown } }) => said.push(err?.code),
    } as Log;
    const queue = await broker.queue();
    await broker.remove(queue);
    const proxy = proxyTo(new URL(stack.AMQP_URL));
    let sockets = 0;
    const serve = (socket: Socket) => {
      sockets += 1;
      if (sockets > 2) proxy.serve(socket);
      else socket.destroy();
    };
    await withFaultyServer(serve, async (port) => {
      const url = Object.assign(new URL(stack.AMQP_URL), { port }).href;
      const { poller, closes } = pollerOf(queue, async () => undefined, { url, log });
      await poller.start();
      await expect.poll(closes, wait).toBeGreaterThan(1);
      expect(said).toEqual(['ERR_UNAVAILABLE', 404]);
      await poller.stop();
    });
  });

  it('start retries if the broker is unavailable', async () => {
    const { poller } = pollerOf('any', async () => undefined, { url: 'amqp://127.0.0.1:1' });
    await expect(poller.start()).resolves.toBeUndefined();
    await poller.stop();
  });
});
