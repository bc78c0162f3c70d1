import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createHandler as createPing } from '../../functions/rpc/ping.ts';
import { Publisher } from '../../runtime/amqp/publisher.ts';
import { RpcClient } from '../../runtime/amqp/rpc-client.ts';
import { UnroutableError } from '../../runtime/base/errors.ts';
import { silentLog } from '../../runtime/base/log.ts';
import { EventSource } from '../../runtime/event-source/event-source.ts';
import { pictureMessage } from '../../shared/pictures/message.ts';
import { management, openBroker, type TestBroker, unique } from '../support/broker.ts';
import { type Client, startClient } from '../support/clients/run.ts';
import { uniqueId } from '../support/deps.ts';
import { stack } from '../support/stack.ts';

let broker: TestBroker;
let publisher: Publisher;
let rpc: RpcClient;
const clients: Client[] = [];
/** Made by a client. */
const queues: string[] = [];

beforeAll(async () => {
  broker = await openBroker();
  publisher = new Publisher({ url: stack.AMQP_URL, name: unique('clients') });
  rpc = new RpcClient({ url: stack.AMQP_URL, name: unique('clients') });
});
afterEach(async () => {
  const left = clients.splice(0);
  for (const client of left) client.kill();
  await Promise.allSettled(left.map(({ done }) => done));
});
afterAll(async () => {
  await Promise.all([publisher.close(), rpc.close()]);
  for (const queue of queues) await broker.remove(queue);
  await broker.close();
});

const start: typeof startClient = (file, args) => {
  const client = startClient(file, args);
  clients.push(client);
  return client;
};

/** A name for a queue that a client makes. */
const ownQueue = (what: string): string => {
  const queue = unique(what);
  queues.push(queue);
  return queue;
};

const as = (username: string, password: string): string =>
  Object.assign(new URL(stack.AMQP_URL), { username, password }).href;
const alertUser = () => as('alert_user', 'alertme');
const rpcUser = () => as('rpc_user', 'rpcme');

/** The administrator, in the form that PHP's client expects. */
const php = (): string[] => {
  const { hostname, port, username, password } = new URL(stack.AMQP_URL);
  return [hostname, port, username, decodeURIComponent(password)];
};

/** A queue of this test's own. Other tests use these exchanges too: pick out of it what is meant. */
const bound = async (exchange: string, key = ''): Promise<string> => {
  const queue = await broker.queue('clients', {});
  await broker.channel.bindQueue(queue, exchange, key);
  return queue;
};

/** Waits for the message with this text in its body; gives its body and the properties that are set. */
const arrived = async (queue: string, text: string) => {
  for (;;) {
    const { content, fields, properties } = await broker.take(queue);
    if (!content.includes(text)) continue;
    const set = Object.entries(properties).filter(([, value]) => value !== undefined);
    const body: unknown = JSON.parse(content.toString());
    return { routingKey: fields.routingKey, properties: Object.fromEntries(set), body };
  }
};

describe('an alert from Python', () => {
  it('reaches every queue that its key matches, with nothing but a content type', async () => {
    const queues = await Promise.all(
      ['critical.*', '*.rate_limit', '*.*'].map((key) => bound('alerts', key)),
    );
    const other = await bound('alerts', 'info.*');
    const body = unique('alert');
    await start('alert.py', [alertUser(), 'critical.rate_limit', JSON.stringify(body)]).done;
    for (const queue of queues) {
      expect(await arrived(queue, body)).toEqual({
        routingKey: 'critical.rate_limit',
        properties: { contentType: 'application/json' },
        body,
      });
    }
    const elsewhere = await broker.drain(other);
    expect(elsewhere.filter(({ content }) => content.includes(body))).toEqual([]);
  });

  it('keeps the message id that it was given', async () => {
    const queue = await bound('alerts', 'info.deploy');
    const [body, messageId] = [unique('alert'), unique('id')];
    await start('alert.py', [alertUser(), 'info.deploy', JSON.stringify(body), messageId]).done;
    expect(await arrived(queue, body)).toMatchObject({ properties: { messageId } });
  });

  it('is returned if no queue matches its key', async () => {
    const alert = start('alert.py', [alertUser(), 'nobody-listens', '"lost"']);
    await expect(alert.done).rejects.toThrow('UnroutableError');
  });

  it('is refused from a user who may not raise any', async () => {
    const alert = start('alert.py', [rpcUser(), 'critical.rate_limit', '"forbidden"']);
    await expect(alert.done).rejects.toThrow('ACCESS_REFUSED');
  });
});

describe('a call from Python', () => {
  let source: EventSource;

  beforeAll(async () => {
    const mapping = {
      functionName: 'ping',
      queue: 'ping',
      vhost: '/',
      arn: 'arn:test',
      batchSize: 10,
      windowMs: 10,
    };
    const ping = createPing({ publisher });
    source = new EventSource({
      url: stack.AMQP_URL,
      mappings: [mapping],
      invoke: () => ping,
      log: silentLog,
    });
    await source.start();
  });
  afterAll(() => source?.stop());

  const request = JSON.stringify({ client_name: 'RPC Client 1.0', time: 1288111236.43 });

  it.each([
    ['the administrator', () => stack.AMQP_URL],
    ['rpc_user', rpcUser],
  ])('is answered to %s, with a correlation id and with nothing but reply_to', async (_, url) => {
    const withId = start('rpc_client.py', [url(), 'ping', request, unique('call')]);
    const without = start('rpc_client.py', [url(), 'ping', request]);
    expect(await withId.done).toEqual(['Pong!1288111236.43']);
    expect(await without.done).toEqual(['Pong!1288111236.43']);
  });

  it('that makes no sense is answered with what is wrong', async () => {
    const [line = ''] = await start('rpc_client.py', [rpcUser(), 'ping', '{"client_name": "no time"}']).done;
    expect(JSON.parse(line)).toMatchObject({ status: 422, detail: expect.stringContaining('time') });
  });

  it('is refused from a user who may have no reply queue', async () => {
    await expect(start('rpc_client.py', [alertUser(), 'ping', request]).done).rejects.toThrow(
      'ACCESS_REFUSED',
    );
  });
});

describe('a picture that PHP announces', () => {
  it.each([
    ['numbers', [], (id: number) => id],
    ['strings of digits', ['--text'], String],
  ])('reaches the queues of all tasks, ids as %s', async (_, options, form) => {
    const queue = await bound('upload-pictures');
    const ids = { image_id: uniqueId(), user_id: uniqueId() };
    const image_path = `originals/${ids.image_id}.jpg`;
    const args = [...php(), String(ids.image_id), String(ids.user_id), image_path, ...options];
    await start('publish_picture.php', args).done;

    const { body, properties } = await arrived(queue, String(ids.image_id));
    expect(body).toEqual({ image_id: form(ids.image_id), user_id: form(ids.user_id), image_path });
    expect(properties).toMatchObject({ contentType: 'application/json', deliveryMode: 2 });
    // Either form means the same to our functions.
    expect(pictureMessage.parse(body)).toEqual({ ...ids, image_path });
  });
});

describe('a worker in PHP with a queue of its own', () => {
  const publish = async () => {
    const image_id = uniqueId();
    const body = { image_id, user_id: uniqueId(), image_path: `originals/${image_id}.jpg` };
    await publisher.publish({ exchange: 'upload-pictures', routingKey: '', body });
    return JSON.stringify(body);
  };

  it('gets each upload from then on, one at a time', async () => {
    const queue = ownQueue('worker');
    // More than come: other tests upload meanwhile, and no test may end this worker but this one.
    const worker = start('upload_worker.php', [...php(), queue, '100000']);
    await worker.printed('READY');
    const [first, second] = [await publish(), await publish()];
    // With a prefetch of one the second comes only after the first was acknowledged.
    await worker.printed(second);
    expect(worker.lines).toContain(first);
    expect(worker.lines.indexOf(first)).toBeLessThan(worker.lines.indexOf(second));
  });

  it('ends after the given number of messages and removes its queue', async () => {
    const queue = ownQueue('worker');
    const worker = start('upload_worker.php', [...php(), queue, '2']);
    await worker.printed('READY');
    await publish();
    await publish();
    const [ready, ...uploads] = await worker.done;
    expect([ready, uploads.length]).toEqual(['READY', 2]);
    await expect(management('GET', `/queues/%2F/${queue}`)).rejects.toThrow('404');
  });
});

describe('a method that Python serves', () => {
  it('can be called as soon as its queue is bound, and not before', async () => {
    const method = ownQueue('reverse');
    await expect(rpc.call(method, { text: 'nerraw' })).rejects.toThrow(UnroutableError);
    const server = start('rpc_server.py', [stack.AMQP_URL, method]);
    await server.printed('READY');
    expect(await rpc.call(method, { text: 'nerraw' })).toMatchObject({
      body: { text: 'warren' },
      contentType: 'application/json',
    });
  });

  it('is answered by the other server if the server that processes the request is killed', async () => {
    const method = ownQueue('reverse');
    const holder = start('rpc_server.py', [stack.AMQP_URL, method, '--hold']);
    await holder.printed('READY');
    const reply = rpc.call(method, { text: 'nerraw' }, { timeoutMs: 20_000 });
    await holder.printed('RECEIVED');
    const other = start('rpc_server.py', [stack.AMQP_URL, method]);
    await other.printed('READY');
    expect(other.lines).not.toContain('RECEIVED');
    holder.kill();
    expect((await reply).body).toMatchObject({ text: 'warren' });
    expect(other.lines).toContain('RECEIVED');
  });
});
