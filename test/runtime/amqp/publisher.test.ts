import { createServer, type Server, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { PublishRefusedError } from '../../../runtime/amqp/confirm-channel.ts';
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

/** A peer that takes connections and never says a word, as a firewall or a hung broker does. */
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
  it('resolves when the message is in its queue, with all it was given', async () => {
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

  it('brings its routing key along in a header where it is not the name of the queue', async () => {
    const queue = await broker.queue();
    await broker.channel.bindQueue(queue, 'amq.topic', `${queue}.cpu`);
    await publisherWith().publish({ exchange: 'amq.topic', routingKey: `${queue}.cpu`, body: 1 });
    const { properties } = await broker.take(queue);
    expect(properties.headers).toMatchObject({ 'x-routing-key': `${queue}.cpu` });
  });

  it('keeps the message id it is given, and says the time', async () => {
    const queue = await broker.queue();
    const before = Math.floor(Date.now() / 1000);
    await publisherWith().publish({ exchange: '', routingKey: queue, body: null, messageId: 'm-1' });
    const { content, properties } = await broker.take(queue);
    expect(properties.messageId).toBe('m-1');
    expect(properties.timestamp).toBeGreaterThanOrEqual(before);
    expect(content.toString()).toBe('null');
  });

  it('sends a Buffer as it is, and claims no content type for it', async () => {
    const queue = await broker.queue();
    const body = Buffer.from([0, 255]);
    await publisherWith().publish({ exchange: '', routingKey: queue, body });
    const { content, properties } = await broker.take(queue);
    expect(content).toEqual(body);
    expect(properties.contentType).toBeUndefined();
  });

  it('throws UnroutableError where no queue is bound', async () => {
    const exchange = await broker.exchange('topic');
    const publishing = publisherWith().publish({ exchange, routingKey: 'no.such.key', body: 1 });
    await expect(publishing).rejects.toThrow(UnroutableError);
    await expect(publishing).rejects.toMatchObject({ code: 'ERR_UNROUTABLE' });
    await expect(publishing).rejects.toThrow(/"no\.such\.key"/);
  });

  it('does not mind a message that reaches no queue when it is not mandatory', async () => {
    const exchange = await broker.exchange('topic');
    const message = { exchange, routingKey: 'no.such.key', body: 1, mandatory: false };
    await expect(publisherWith().publish(message)).resolves.toBeDefined();
  });

  it('fails where there is no such exchange, and takes no neighbour along', async () => {
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

  it('that is refused costs no connection for each message beside it', async () => {
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
      // One for all, and one for those that are tried again.
      expect(connections).toBe(2);
      await publisher.close();
    });
    expect(new Set((await broker.drain(queue)).map(({ content }) => Number(content.toString()) % 2))).toEqual(
      new Set([1]),
    );
  });

  it('says whether the broker refused it or was lost before it was confirmed', async () => {
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

  it('fails where the broker closes the connection over it, and takes no neighbour along', async () => {
    const queue = await broker.queue();
    const publisher = publisherWith();
    // RabbitMQ has an internal error over an address of direct reply-to that it didn't make.
    const malformed = { exchange: '', routingKey: 'amq.rabbitmq.reply-to.none.such', mandatory: false };
    const others = Array.from({ length: 20 }, (_, n) => ({ exchange: '', routingKey: queue, body: n }));
    const [refused, ...rest] = await Promise.allSettled(
      [{ ...malformed, body: 'x' }, ...others].map((message) => publisher.publish(message)),
    );
    expect(refused).toMatchObject({ reason: expect.any(PublishRefusedError) });
    expect(rest.filter(({ status }) => status === 'rejected')).toEqual([]);
  });

  it('tells the returned from the routed among many with the same id', async () => {
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

  it('confirms a thousand messages at a time over one connection', async () => {
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

describe('a connection that was killed', () => {
  it('is replaced at the next message', async () => {
    const queue = await broker.queue();
    const name = unique('publisher');
    const publisher = publisherWith({ name });
    await publisher.publish({ exchange: '', routingKey: queue, body: 1 });
    await killConnection(name);
    await publisher.publish({ exchange: '', routingKey: queue, body: 2 });
    expect(await broker.count(queue)).toBe(2);
  });

  it('loses none of the messages under way, and a second try has the same message id', async () => {
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
    // Until the connection is gone there are always twenty on their way.
    for (let n = 0; !killed || n < 100; n += 1) {
      sent.push(publisher.publish({ exchange: '', routingKey: queue, body: n, messageId: `m-${n}` }));
      await sent.at(-20);
    }
    await killing;
    await Promise.all(sent);
    const ids = (await broker.drain(queue)).map(({ properties }) => String(properties.messageId));
    // At least once: a confirm that was lost with the connection means the same message again.
    expect(new Set(ids)).toEqual(new Set(['first', ...sent.map((_, n) => `m-${n}`)]));
  });
});

describe('a broker that can not be used', () => {
  it('refuses a wrong password at once, and says neither user nor password', async () => {
    const publisher = publisherWith({ url: withLogin('nobody', 'wr0ng') });
    const publishing = publisher.publish({ exchange: '', routingKey: 'x', body: 1 });
    await expect(publishing).rejects.toMatchObject({ code: 'ERR_BROKER_REFUSED' });
    await expect(publishing).rejects.not.toThrow(/wr0ng/);
    await expect(publisher.ready()).rejects.toMatchObject({ code: 'ERR_BROKER_REFUSED' });
  });

  it('refuses a virtual host that is not there', async () => {
    const url = new URL(stack.AMQP_URL);
    url.pathname = '/no-such-vhost';
    await expect(publisherWith({ url: url.href }).ready()).rejects.toMatchObject({
      code: 'ERR_BROKER_REFUSED',
    });
  });

  it('is unavailable where nobody listens', async () => {
    const server = await silentServer();
    await server.close();
    const publishing = publisherWith({ url: server.url }).publish({ exchange: '', routingKey: 'x', body: 1 });
    await expect(publishing).rejects.toThrow(UnavailableError);
  });

  it('is unavailable within 5 seconds where it never answers', async () => {
    const server = await silentServer();
    const startedAt = performance.now();
    const publishing = publisherWith({ url: server.url }).publish({ exchange: '', routingKey: 'x', body: 1 });
    await expect(publishing).rejects.toThrow(UnavailableError);
    expect(performance.now() - startedAt).toBeLessThan(5000);
    await server.close();
  });

  it('is passed over for the next of several', async () => {
    const server = await silentServer();
    await server.close();
    const queue = await broker.queue();
    const publisher = publisherWith({ url: [server.url, stack.AMQP_URL] });
    await publisher.publish({ exchange: '', routingKey: queue, body: 1 });
    expect(await broker.count(queue)).toBe(1);
  });

  it('takes messages again once the first try at it has failed', async () => {
    const queue = await broker.queue();
    const server = await silentServer();
    const publisher = publisherWith({ url: [server.url, server.url, stack.AMQP_URL], deadlineMs: 500 });
    await expect(publisher.publish({ exchange: '', routingKey: queue, body: 1 })).rejects.toThrow();
    await publisher.publish({ exchange: '', routingKey: queue, body: 2 });
    expect((await broker.take(queue)).content.toString()).toBe('2');
    await server.close();
  });
});

describe('ready', () => {
  it('resolves where the broker takes messages', async () => {
    await expect(publisherWith().ready()).resolves.toBeUndefined();
  });

  it('throws after close', async () => {
    const publisher = publisherWith();
    await publisher.ready();
    await publisher.close();
    await expect(publisher.ready()).rejects.toThrow(UnavailableError);
    await expect(publisher.publish({ exchange: '', routingKey: 'x', body: 1 })).rejects.toThrow(
      UnavailableError,
    );
  });
});
