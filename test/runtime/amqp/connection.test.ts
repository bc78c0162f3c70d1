import type { Socket } from 'node:net';
import { inspect } from 'node:util';
import { type Channel, connect } from 'amqplib';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { BrokerConnection, type ConnectionOptions } from '../../../runtime/amqp/connection.ts';
import { UnavailableError } from '../../../runtime/base/errors.ts';
import { findConnection, management, openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { proxyTo, withFaultyServer } from '../../support/faults.ts';
import { stack } from '../../support/stack.ts';

const allRights = { configure: '.*', write: '.*', read: '.*' };
let broker: TestBroker;
const connections: BrokerConnection[] = [];
const connectionWith = (options: Partial<ConnectionOptions> = {}): BrokerConnection => {
  const connection = new BrokerConnection({ url: stack.AMQP_URL, name: unique('connection'), ...options });
  connections.push(connection);
  return connection;
};

beforeAll(async () => {
  broker = await openBroker();
});
afterEach(async () => {
  await Promise.all(connections.splice(0).map((connection) => connection.close()));
});
afterAll(() => broker.close());

describe('BrokerConnection', () => {
  it('connection: concurrent channels share one connection', async () => {
    const name = unique('connection');
    const connection = connectionWith({ name });
    const channels = await Promise.all([1, 2, 3].map(() => connection.channel()));
    expect(new Set(channels.map((channel) => channel.connection)).size).toBe(1);
  });

  it('connection: the messages of one turn are written to the socket together', async () => {
    const channel = await connectionWith().channel();
    const { stream } = channel.connection as unknown as { stream: Socket };
    const writes = (['_write', '_writev'] as const).map((name) => vi.spyOn(stream, name));
    for (let n = 0; n < 100; n += 1) channel.publish('', 'missing', Buffer.from('a message'));
    // Its answer comes when the broker has received all of them.
    await channel.prefetch(1);
    expect(writes.reduce((sum, { mock }) => sum + mock.calls.length, 0)).toBe(1);
  });

  it('connection: the broker lists it with its name and a heartbeat', async () => {
    const name = unique('connection');
    const connection = connectionWith({ name });
    await connection.channel();
    await findConnection(name);
    const all = await management<{ timeout: number; client_properties?: { connection_name?: string } }[]>(
      'GET',
      '/connections',
    );
    const found = all.find((each) => each.client_properties?.connection_name === name);
    expect(found?.timeout).toBe(10);
  });

  it('connection: it opens again at the first use after it was killed', async () => {
    const name = unique('connection');
    const connection = connectionWith({ name });
    const channel = await connection.channel();
    const closed = new Promise<void>((resolve) => channel.on('close', resolve));
    await (await findConnection(name)).kill();
    await closed;
    const again = await connection.channel();
    await expect(again.checkExchange('alerts')).resolves.toBeDefined();
  });

  it('connection: it survives an error on one of its channels', async () => {
    const connection = connectionWith();
    const [bad, good] = [await connection.channel(), await connection.channel()];
    await expect(bad.checkQueue(unique('missing'))).rejects.toThrow(/NOT_FOUND/);
    await expect(good.checkExchange('alerts')).resolves.toBeDefined();
    await expect(connection.channel()).resolves.toBeDefined();
  });

  it('connection: it opens again after it was discarded, even while it was opening', async () => {
    const connection = connectionWith();
    const opening = connection.channel();
    connection.discard();
    await expect(opening).rejects.toThrow(UnavailableError);
    await expect(connection.channel()).resolves.toBeDefined();
    connection.discard();
    const channel = await connection.channel();
    await expect(channel.checkExchange('alerts')).resolves.toBeDefined();
  });

  it('connection: it stays closed after close', async () => {
    const connection = connectionWith();
    await connection.channel();
    await connection.close();
    await connection.close();
    await expect(connection.channel()).rejects.toThrow(UnavailableError);
  });

  it('connection: close resolves if the socket is cut before the broker answers', async () => {
    let cut = () => {};
    const connecting = async (...args: Parameters<typeof connect>) => {
      const model = await connect(...args);
      cut = () => void (model.connection as unknown as { stream: Socket }).stream.destroy();
      return model;
    };
    const connection = connectionWith({ connect: connecting as typeof connect });
    await connection.channel();
    const closing = connection.close();
    // amqplib sends the close one turn later.
    setImmediate(cut);
    await closing;
  });

  it('connection: requests of a channel fail if the socket is cut before the broker answers', async () => {
    const connection = connectionWith();
    const requests: ((channel: Channel) => Promise<unknown>)[] = [
      (channel) => channel.close(),
      (channel) => channel.checkExchange('alerts'),
      (channel) => channel.consume('email-alerts', () => undefined),
    ];
    for (const request of requests) {
      const channel = await connection.channel();
      const requested = request(channel);
      (channel.connection as unknown as { stream: Socket }).stream.destroy(new Error('cut'));
      await expect(requested).rejects.toThrow(UnavailableError);
      await expect(channel.checkExchange('alerts')).rejects.toThrow(UnavailableError);
    }
    const channel = await connection.channel();
    await expect(channel.checkExchange(unique('missing'))).rejects.toMatchObject({ code: 404 });
    await expect((await connection.channel()).close()).resolves.toBeUndefined();
  });

  it.each(['discard', 'close'] as const)(
    'connection: %s rejects pending requests to a silent peer',
    async (how) => {
      const proxy = proxyTo(new URL(stack.AMQP_URL));
      await withFaultyServer(proxy.serve, async (port) => {
        const url = Object.assign(new URL(stack.AMQP_URL), { port });
        const connection = connectionWith({ url: url.href });
        const channel = await connection.channel();
        proxy.freeze();
        const asked = performance.now();
        const waiting = expect(channel.prefetch(1)).rejects.toThrow('the connection to the broker was lost');
        await connection[how]();
        await waiting;
        // Missing heartbeats would be detected after 20 seconds.
        expect(performance.now() - asked).toBeLessThan(5000);
      });
    },
  );

  it('connection: a discard of an old channel leaves the new connection open', async () => {
    const connection = connectionWith();
    const old = await connection.channel();
    connection.discard(old);
    const channel = await connection.channel();
    connection.discard(old);
    await expect(channel.checkExchange('alerts')).resolves.toBeDefined();
    expect((await connection.channel()).connection).toBe(channel.connection);
  });

  it.each([
    'amqp://user:s3cr3t@bad host',
    'amqp://user:s3cr3t@host:port',
    'http://user:s3cr3t@host',
    'ssm:/warren/s3cr3t/amqp-url',
  ])('connection: %s is ERR_CONFIG at once, without its text', (wrong) => {
    expect.assertions(2);
    try {
      connectionWith({ url: [stack.AMQP_URL, wrong] });
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_CONFIG' });
      expect(inspect(error, { depth: null })).not.toContain('s3cr3t');
    }
  });

  it.each(['pässwörd', '100%', 'a/b@c:d', 'a+b'])(
    'connection: a user with the password %s logs in, to a vhost beyond ASCII',
    async (password) => {
      const [user, vhost] = [unique('müller'), unique('bücher/a b')];
      const [userPath, vhostPath] = [encodeURIComponent(user), encodeURIComponent(vhost)];
      await management('PUT', `/users/${userPath}`, { password, tags: '' });
      await management('PUT', `/vhosts/${vhostPath}`);
      try {
        await management('PUT', `/permissions/${vhostPath}/${userPath}`, allRights);
        const { host } = new URL(stack.AMQP_URL);
        const encoded = `amqp://${userPath}:${encodeURIComponent(password)}@${host}/${vhostPath}`;
        await expect(connectionWith({ url: encoded }).channel()).resolves.toBeDefined();
        const plain = `amqp://${user}:${password}@${host}/${vhostPath}`;
        if (!/[/@]/.test(password))
          await expect(connectionWith({ url: plain }).channel()).resolves.toBeDefined();
      } finally {
        await management('DELETE', `/vhosts/${vhostPath}`);
        await management('DELETE', `/users/${userPath}`);
      }
    },
  );

  it('connection: a channel opens at the address that works, and the next connection begins with it', async () => {
    const tried: unknown[] = [];
    const connecting = (...args: Parameters<typeof connect>) => {
      tried.push((args[0] as { port: number }).port);
      return connect(...args);
    };
    const url = `amqp://127.0.0.1:1,${stack.AMQP_URL}`;
    const connection = connectionWith({ url, connect: connecting as typeof connect });
    await connection.channel();
    connection.discard();
    await connection.confirmChannel();
    const good = Number(new URL(stack.AMQP_URL).port);
    expect(tried).toEqual([1, good, good]);
  });

  it('connection: it requires at least one URL', () => {
    expect(() => connectionWith({ url: [] })).toThrow(/at least one AMQP URL/);
  });

  it.each([
    ['user', { username: 'nobody' }, /refused the user or password/],
    ['password', { password: 's3cr3t' }, /refused the user or password/],
    ['virtual host', { pathname: '/no-such-vhost' }, /refused the virtual host/],
  ])('connection: the error names a wrong %s and contains no login', async (_what, change, text) => {
    const url = Object.assign(new URL(stack.AMQP_URL), change);
    const opening = connectionWith({ url: url.href }).channel();
    await expect(opening).rejects.toMatchObject({ code: 'ERR_BROKER_REFUSED' });
    await expect(opening).rejects.toThrow(text);
    await expect(opening).rejects.not.toThrow(/s3cr3t|nobody/);
  });

  it('connection: an unavailable broker is not reported as a refusal', async () => {
    const opening = connectionWith({ url: 'amqp://user:s3cr3t@127.0.0.1:1' }).channel();
    await expect(opening).rejects.toMatchObject({ code: 'ERR_UNAVAILABLE' });
    await expect(opening).rejects.not.toThrow(/s3cr3t/);
  });
});
