import { createServer, type Server, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { PublishRefusedError } from '../../../runtime/amqp/publish-errors.ts';
import { Publisher, type PublisherOptions } from '../../../runtime/amqp/publisher.ts';
import { UnavailableError, UnroutableError } from '../../../runtime/base/errors.ts';
import { findConnection, killConnection, openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { proxyTo, withFaultyServer } from '../../support/faults.ts';
import { stack } from '../../support/stack.ts';

let broker: TestBroker;
const publishers: Publisher[] = [];
const publisherWith = (options: Partial<PublisherOptions> = {}): Publisher => {
  const publisher = new Publisher({ url: stack.AMQP_URL, name: unique('publisher'), ...options });
  publishers.push(publisher);
  return publisher;
};

beforeAll(async () => {
  broker = await openBroker();
});
afterEach(async () => {
  await Promise.all(publishers.splice(0).map((publisher) => publisher.close()));
});
afterAll(() => broker.close());

const withLogin = (username: string, password: string): string => {
  const url = new URL(stack.AMQP_URL);
  url.username = username;
  url.password = password;
  return url.href;
};

const through = (port: number): string => {
  const url = new URL(stack.AMQP_URL);
  url.host = `127.0.0.1:${port}`;
  return url.href;
};

/** A peer that accepts connections and never sends anything, like a firewall or a hung broker. */
const silentServer = async (): Promise<{ url: string; close(): Promise<void> }> => {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return {
    url: `amqp://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
};

describe('publish', () => {
  it('publish: a confirmed message is in its queue with all its properties', async () => {
    const queue = await broker.queue();
    const { messageId } = await publisherWith().publish({
      exchange: '',
      routingKey: queue,
      body: { a: 'ü' },
      correlationId: 'c-1',
      replyTo: 'back',
      type: 'order',
      appId: 'till',
      priority: 2,
      expiration: 60_000,
      timestamp: 2021,
      headers: { city: 'Zürich' },
    });
    expect(await broker.count(queue)).toBe(1);
    const { content, properties } = await broker.take(queue);
    expect(content.toString()).toBe('{"a":"ü"}');
    expect(properties).toMatchObject({
      messageId,
      contentType: 'application/json',
      deliveryMode: 2,
      correlationId: 'c-1',
      replyTo: 'back',
      type: 'order',
      appId: 'till',
      priority: 2,
      expiration: '60000',
      timestamp: 2021,
    });
    expect(properties.headers).toMatchObject({ city: 'Zürich' });
    expect(properties.headers).not.toHaveProperty('x-routing-key');
    expect(messageId).toMatch(/^[0-9a-f]{8}-/);
  });

  it('publish: a header carries the routing key if it is not the name of the queue', async () => {
    const queue = await broker.queue();
    await broker.channel.bindQueue(queue, 'amq.topic', `${queue}.cpu`);
    await publisherWith().publish({ exchange: 'amq.topic', routingKey: `${queue}.cpu`, body: 1 });
    const { properties } = await broker.take(queue);
    expect(properties.headers).toMatchObject({ 'x-routing-key': `${queue}.cpu` });
  });

  it('publish: a message keeps its message id and gets a timestamp', async () => {
    const queue = await broker.queue();
    const before = Math.floor(Date.now() / 1000);
    await publisherWith().publish({ exchange: '', routingKey: queue, body: null, messageId: 'm-1' });
    const { content, properties } = await broker.take(queue);
    expect(properties.messageId).toBe('m-1');
    expect(properties.timestamp).toBeGreaterThanOrEqual(before);
    expect(content.toString()).toBe('null');
  });

  it('publish: a Buffer is sent unchanged and without a content type', async () => {
    const queue = await broker.queue();
    const body = Buffer.from([0, 255]);
    await publisherWith().publish({ exchange: '', routingKey: queue, body });
    const { content, properties } = await broker.take(queue);
    expect(content).toEqual(body);
    expect(properties.contentType).toBeUndefined();
  });

  it('publish: a message that reaches no queue throws UnroutableError', async () => {
    const exchange = await broker.exchange('topic');
    const publishing = publisherWith().publish({ exchange, routingKey: 'no.such.key', body: 1 });
    await expect(publishing).rejects.toThrow(UnroutableError);
    await expect(publishing).rejects.toMatchObject({ code: 'ERR_UNROUTABLE' });
    await expect(publishing).rejects.toThrow(/"no\.such\.key"/);
  });

  it('publish: a message that is not mandatory may reach no queue', async () => {
    const exchange = await broker.exchange('topic');
    const message = { exchange, routingKey: 'no.such.key', body: 1, mandatory: false };
    await expect(publisherWith().publish(message)).resolves.toBeDefined();
  });

  it('publish: a missing exchange fails its message and no other one', async () => {
    const queue = await broker.queue();
    const publisher = publisherWith();
    const good = (body: number) => publisher.publish({ exchange: '', routingKey: queue, body });
    const results = await Promise.allSettled([
      good(1),
      publisher.publish({ exchange: unique('missing'), routingKey: 'x', body: 2 }),
      good(3),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    await good(4);
    const bodies = (await broker.drain(queue)).map(({ content }) => content.toString());
    expect(new Set(bodies)).toEqual(new Set(['1', '3', '4']));
  });

  it('publish: refused messages share one connection for the second try', async () => {
    const queue = await broker.queue();
    const proxy = proxyTo(new URL(stack.AMQP_URL));
    let connections = 0;
    const counting = (socket: Socket) => {
      connections += 1;
      proxy.serve(socket);
    };
    await withFaultyServer(counting, async (port) => {
      const publisher = publisherWith({ url: through(port) });
      const missing = unique('missing');
      const results = await Promise.allSettled(
        Array.from({ length: 100 }, (_, body) =>
          publisher.publish(
            body % 2
              ? { exchange: '', routingKey: queue, body }
              : { exchange: missing, routingKey: 'x', body },
          ),
        ),
      );
      const statuses = results.map(({ status }) => status);
      expect(statuses).toEqual(statuses.map((_, n) => (n % 2 ? 'fulfilled' : 'rejected')));
      // One for all messages, and one for the second tries.
      expect(connections).toBe(2);
      await publisher.close();
    });
    expect(new Set((await broker.drain(queue)).map(({ content }) => Number(content.toString()) % 2))).toEqual(
      new Set([1]),
    );
  });

  it('publish: the error distinguishes a refused message from a lost connection', async () => {
    const full = await broker.queue('full', { 'x-max-length': 1, 'x-overflow': 'reject-publish' });
    await broker.send(full, 1);
    const refused = publisherWith().publish({ exchange: '', routingKey: full, body: 2 });
    await expect(refused).rejects.toThrow('the broker refused the message');
    const proxy = proxyTo(new URL(stack.AMQP_URL));
    // The class and method of basic.publish (AMQP 0-9-1, 1.8.3.7).
    const publishing = Buffer.from([0, 60, 0, 40]);
    const cutting = (socket: Socket) => {
      socket.on('data', (data: Buffer) => {
        if (data.includes(publishing)) socket.destroy();
      });
      proxy.serve(socket);
    };
    await withFaultyServer(cutting, async (port) => {
      const publisher = publisherWith({ url: through(port), tries: 1 });
      const lost = publisher.publish({ exchange: '', routingKey: full, body: 3 });
      await expect(lost).rejects.toThrow('the channel closed before the confirm');
      await publisher.close();
    });
  });

  it('publish: a message that ends the connection fails alone', async () => {
    const queue = await broker.queue();
    const publisher = publisherWith();
    // The headers are sent as one frame, and RabbitMQ takes frames of at most 128 KiB.
    const malformed = { exchange: '', routingKey: queue, table: Buffer.alloc(140 * 1024) };
    const others = Array.from({ length: 20 }, (_, n) => ({ exchange: '', routingKey: queue, body: n }));
    const [refused, ...rest] = await Promise.allSettled(
      [{ ...malformed, body: 'x' }, ...others].map((message) => publisher.publish(message)),
    );
    expect(refused).toMatchObject({ reason: expect.any(PublishRefusedError) });
    expect(rest.filter(({ status }) => status === 'rejected')).toEqual([]);
  });

  it('publish: returned messages are distinguished from routed ones with the same id', async () => {
    const [exchange, queue] = [await broker.exchange('topic'), await broker.queue()];
    await broker.channel.bindQueue(queue, exchange, 'known');
    const publisher = publisherWith();
    const keys = Array.from({ length: 100 }, (_, n) => (n % 3 === 0 ? 'unknown' : 'known'));
    const results = await Promise.allSettled(
      keys.map((routingKey) => publisher.publish({ exchange, routingKey, body: 1, messageId: 'same' })),
    );
    expect(results.map(({ status }) => status)).toEqual(
      keys.map((key) => (key === 'known' ? 'fulfilled' : 'rejected')),
    );
    expect(await broker.count(queue)).toBe(keys.filter((key) => key === 'known').length);
  });

  it('publish: one connection confirms a thousand concurrent messages', async () => {
    const queue = await broker.queue();
    const publisher = publisherWith();
    const numbers = Array.from({ length: 1000 }, (_, n) => n);
    const results = await Promise.all(
      numbers.map((body) => publisher.publish({ exchange: '', routingKey: queue, body })),
    );
    expect(new Set(results.map(({ messageId }) => messageId)).size).toBe(1000);
    const bodies = (await broker.drain(queue)).map(({ content }) => Number(content.toString()));
    expect(bodies.toSorted((a, b) => a - b)).toEqual(numbers);
  });
});

describe('killed connection', () => {
  it('publisher: a killed connection is replaced at the next message', async () => {
    const queue = await broker.queue();
    const name = unique('publisher');
    const publisher = publisherWith({ name });
    await publisher.publish({ exchange: '', routingKey: queue, body: 1 });
    await killConnection(name);
    await publisher.publish({ exchange: '', routingKey: queue, body: 2 });
    expect(await broker.count(queue)).toBe(2);
  });

  it('publisher: a killed connection loses no message in flight, and the second try has the same message id', async () => {
    const queue = await broker.queue();
    const name = unique('publisher');
    const publisher = publisherWith({ name });
    await publisher.publish({ exchange: '', routingKey: queue, body: 0, messageId: 'first' });
    const connection = await findConnection(name);
    const sent: Promise<{ messageId: string }>[] = [];
    let killed = false;
    const killing = connection.kill().finally(() => {
      killed = true;
    });
    // Twenty messages are in flight until the connection is gone.
    for (let n = 0; !killed || n < 100; n += 1) {
      sent.push(publisher.publish({ exchange: '', routingKey: queue, body: n, messageId: `m-${n}` }));
      await sent.at(-20);
    }
    await killing;
    await Promise.all(sent);
    const ids = (await broker.drain(queue)).map(({ properties }) => String(properties.messageId));
    // At least once: if a confirm is lost with the connection, the message is sent again.
    expect(new Set(ids)).toEqual(new Set(['first', ...sent.map((_, n) => `m-${n}`)]));
  });
});

describe('unusable broker', () => {
  it('publisher: a wrong password fails at once, and the error contains neither user nor password', async () => {
    const publisher = publisherWith({ url: withLogin('nobody', 'wr0ng') });
    const publishing = publisher.publish({ exchange: '', routingKey: 'x', body: 1 });
    await expect(publishing).rejects.toMatchObject({ code: 'ERR_BROKER_REFUSED' });
    await expect(publishing).rejects.not.toThrow(/wr0ng/);
    await expect(publisher.ready()).rejects.toMatchObject({ code: 'ERR_BROKER_REFUSED' });
  });

  it('publisher: a missing virtual host fails at once', async () => {
    const url = new URL(stack.AMQP_URL);
    url.pathname = '/no-such-vhost';
    await expect(publisherWith({ url: url.href }).ready()).rejects.toMatchObject({
      code: 'ERR_BROKER_REFUSED',
    });
  });

  it('publisher: a closed port is an UnavailableError', async () => {
    const server = await silentServer();
    await server.close();
    const publishing = publisherWith({ url: server.url }).publish({ exchange: '', routingKey: 'x', body: 1 });
    await expect(publishing).rejects.toThrow(UnavailableError);
  });

  it('publisher: a silent broker is an UnavailableError within 5 seconds', async () => {
    const server = await silentServer();
    const startedAt = performance.now();
    const publishing = publisherWith({ url: server.url }).publish({ exchange: '', routingKey: 'x', body: 1 });
    await expect(publishing).rejects.toThrow(UnavailableError);
    expect(performance.now() - startedAt).toBeLessThan(5000);
    await server.close();
  });

  it('publisher: a second URL is tried if the first is unavailable', async () => {
    const server = await silentServer();
    await server.close();
    const queue = await broker.queue();
    const publisher = publisherWith({ url: [server.url, stack.AMQP_URL] });
    await publisher.publish({ exchange: '', routingKey: queue, body: 1 });
    expect(await broker.count(queue)).toBe(1);
  });

  it('publisher: messages are published again after a failed first try', async () => {
    const queue = await broker.queue();
    const proxy = proxyTo(new URL(stack.AMQP_URL));
    let sockets = 0;
    const serve = (socket: Socket) => {
      sockets += 1;
      // The two tries of the first message get no answer.
      if (sockets > 2) proxy.serve(socket);
    };
    await withFaultyServer(serve, async (port) => {
      const publisher = publisherWith({ url: through(port), deadlineMs: 500 });
      await expect(publisher.publish({ exchange: '', routingKey: queue, body: 1 })).rejects.toThrow();
      await publisher.publish({ exchange: '', routingKey: queue, body: 2 });
      expect((await broker.take(queue)).content.toString()).toBe('2');
      await publisher.close();
    });
  });

  it('publisher: 100,000 publishes of 1 kB at once all arrive', { timeout: 120_000 }, async () => {
    const queue = await broker.queue();
    const publisher = publisherWith();
    const body = Buffer.alloc(1000, 'a');
    const all = Array.from({ length: 100_000 }, () =>
      publisher.publish({ exchange: '', routingKey: queue, body, persistent: false }),
    );
    const failed = (await Promise.allSettled(all)).filter(({ status }) => status === 'rejected');
    expect(failed).toEqual([]);
    expect(await broker.count(queue)).toBe(100_000);
  });

  it('publisher: the first publish succeeds if two of three addresses are silent', async () => {
    const queue = await broker.queue();
    const server = await silentServer();
    const publisher = publisherWith({ url: [server.url, server.url, stack.AMQP_URL], deadlineMs: 500 });
    await publisher.publish({ exchange: '', routingKey: queue, body: 1 });
    expect(await broker.count(queue)).toBe(1);
    await server.close();
  });
});

describe('ready', () => {
  it('ready: it resolves if the broker accepts messages', async () => {
    await expect(publisherWith().ready()).resolves.toBeUndefined();
  });

  it('ready: it throws after close', async () => {
    const publisher = publisherWith();
    await publisher.ready();
    await publisher.close();
    await expect(publisher.ready()).rejects.toThrow(UnavailableError);
    await expect(publisher.publish({ exchange: '', routingKey: 'x', body: 1 })).rejects.toThrow(
      UnavailableError,
    );
  });
});
