/** What the broker answers to the opening of a virtual host, and whose fault it is. */
import type { Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type PrivateBroker, privateBroker } from '../../../dev/stack/private-broker.ts';
import { BrokerConnection } from '../../../runtime/amqp/connection.ts';
import { proxyTo, withFaultyServer } from '../../support/faults.ts';

const vhost = 'örders';
let broker: PrivateBroker;
const connections: BrokerConnection[] = [];
beforeAll(async () => {
  broker = await privateBroker();
  await broker.control('add_vhost', vhost);
  await broker.control('set_permissions', '-p', vhost, 'warren', '.*', '.*', '.*');
}, 60_000);
afterEach(() => Promise.all(connections.splice(0).map((connection) => connection.close())));
afterAll(() => broker.close());

const connectionTo = (name: string, parameters = '') => {
  const url = `${broker.url}/${encodeURIComponent(name)}${parameters}`;
  const connection = new BrokerConnection({ url, name: 'opening' });
  connections.push(connection);
  return connection;
};

it('opening: a virtual host that is down is unavailable, and opens when it is up again', async () => {
  await broker.control('eval', `rabbit_vhost_sup_sup:stop_and_delete_vhost(<<"${vhost}"/utf8>>).`);
  const connection = connectionTo(vhost);
  await expect(connection.channel()).rejects.toMatchObject({
    code: 'ERR_UNAVAILABLE',
    message: expect.stringMatching(/can't open the virtual host now \(541\)$/),
  });
  await broker.control('restart_vhost', '-p', vhost);
  await expect(connection.channel()).resolves.toBeDefined();
}, 60_000);

it.each(['', '?auth_mechanism=amqplain'])(
  'opening: a virtual host that is missing, closed to the login or without a connection left, or a login without one, is refused with the reason of the broker (%j)',
  async (parameters) => {
    const refused = (reason: RegExp) => ({
      code: 'ERR_BROKER_REFUSED',
      message: expect.stringMatching(reason),
    });
    await expect(connectionTo('none', parameters).channel()).rejects.toMatchObject(
      refused(/\/none refused the virtual host: NOT_ALLOWED - vhost none not found$/),
    );
    await broker.control('add_vhost', 'closed');
    await expect(connectionTo('closed', parameters).channel()).rejects.toMatchObject(
      refused(/refused the virtual host: NOT_ALLOWED - access to vhost 'closed' refused for user 'warren'/),
    );
    await broker.control('delete_vhost', 'closed');
    await broker.control('set_vhost_limits', '-p', vhost, '{"max-connections": 0}');
    await expect(connectionTo(vhost, parameters).channel()).rejects.toMatchObject(
      refused(
        /refused the virtual host: NOT_ALLOWED - access to vhost 'örders' refused .*limit \(0\) is reached$/,
      ),
    );
    await broker.control('clear_vhost_limits', '-p', vhost);
    await broker.control('set_user_limits', 'warren', '{"max-connections": 0}');
    await expect(connectionTo(vhost, parameters).channel()).rejects.toMatchObject(
      refused(/refused the virtual host: NOT_ALLOWED - .*user connection limit \(0\) is reached$/),
    );
    await broker.control('clear_user_limits', 'warren', 'all');
    await expect(connectionTo(vhost, parameters).channel()).resolves.toBeDefined();
  },
  60_000,
);

it('opening: a broker that closes the socket in place of an answer is unavailable', async () => {
  await withFaultyServer(
    (socket) => socket.once('data', () => socket.destroy()),
    async (port) => {
      const connection = new BrokerConnection({ url: `amqp://127.0.0.1:${port}`, name: 'opening' });
      await expect(connection.channel()).rejects.toMatchObject({ code: 'ERR_UNAVAILABLE' });
    },
  );
});

it('opening: a program that sends a frame without a method in place of the second answer leaves the vhost unavailable', async () => {
  const proxy = proxyTo(new URL(broker.url));
  let connected = 0;
  const serve = (socket: Socket) => {
    connected += 1;
    if (connected === 1) proxy.serve(socket);
    else socket.once('data', () => socket.write(Buffer.from([1, 0, 0, 0, 0, 0, 0, 0xce])));
  };
  await withFaultyServer(serve, async (port) => {
    const url = `${Object.assign(new URL(broker.url), { port }).href}/none`;
    const connection = new BrokerConnection({ url, name: 'opening' });
    connections.push(connection);
    await expect(connection.channel()).rejects.toMatchObject({
      code: 'ERR_UNAVAILABLE',
      message: expect.stringMatching(/can't open the virtual host now$/),
    });
  });
});
