import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { httpEvent } from 'warren/testing';
import { runDemo } from '../../dev/demo/demo.ts';
import { createHandler as createCall } from '../../functions/rpc/call.ts';
import { dropDeadLetters, listDeadLetters } from '../../runtime/dead-letters/dead-letters.ts';
import { readSection } from '../../runtime/topology/schema.ts';
import { startClient } from '../support/clients/run.ts';
import { bearer, openDeps } from '../support/deps.ts';
import { context } from '../support/events.ts';
import { type System, startSystem } from '../support/system.ts';

const patience = { timeout: 30_000, interval: 100 };

describe('the whole system under serverless offline', () => {
  let system: System;
  const deps = openDeps();

  beforeAll(async () => {
    system = await startSystem();
  }, 300_000);

  afterAll(async () => {
    await deps.close();
    await system?.remove();
  }, 120_000);

  it('writes all addresses to stack.env, readable by its owner only', async () => {
    const file = parseEnv(await readFile(join(system.dataDir, 'stack.env'), 'utf8'));
    expect(file).toEqual(system.env);
  });

  it('does the main job: upload, resize, points, mails, alerts and RPC', async () => {
    const steps = await runDemo(system.env, () => undefined);
    expect(steps.filter(({ ok }) => !ok)).toEqual([]);
    expect(steps.map(({ step }) => step)).toEqual([
      'POST /pictures',
      'resized',
      'rewarded',
      'announced',
      'mailed',
      'download by its link',
      'alert critical.rate_limit',
      'alert info.deploy',
      'POST /rpc/ping',
    ]);
    const logged = await system.db.selectFrom('upload_log').select('user_id').execute();
    expect(logged).toEqual([{ user_id: 1 }]);
  });

  it('works once on a picture that another client announced twice', async () => {
    const image_path = `originals/${randomUUID()}.png`;
    const png = await sharp({ create: { width: 400, height: 300, channels: 3, background: 'teal' } })
      .png()
      .toBuffer();
    await system.storage.put(image_path, png, 'image/png');
    const body = { image_id: '4711', user_id: '2', image_path };
    const message = { exchange: 'upload-pictures', routingKey: '', body };
    await Promise.all([system.publisher.publish(message), system.publisher.publish(message)]);

    const read = async () => (await system.http('/pictures/4711', {}, '2')).json();
    await expect.poll(read, patience).toMatchObject({
      status: 'ready',
      points: 10,
      variants: [
        { width: 160 },
        { width: 160 },
        { width: 320 },
        { width: 320 },
        { width: 400 },
        { width: 400 },
      ],
      friends_notified_at: expect.any(String),
    });
    await expect.poll(() => system.waiting(), patience).toBe(0);
    const mailed = async () => (await system.mails()).filter(({ text }) => text.includes('number 4711'));
    await expect.poll(mailed, patience).toHaveLength(2);
  });

  it('takes an order for a wash, books it and a walk with it, and notifies the walker', async () => {
    const at = new Date(Date.now() + 86_400_000).toISOString();
    const order = { method: 'POST', headers: { 'content-type': 'application/json' } };
    const reply = await system.http('/dog-washes', { ...order, body: JSON.stringify({ dog: 'Toto', at }) });
    expect([201, 202]).toContain(reply.status);
    const wash = reply.headers.get('location') ?? '';
    const read = async (path: string) => (await (await system.http(path)).json()) as { walk?: string };
    await expect.poll(() => read(wash), patience).toMatchObject({ status: 'booked', dog: 'Toto' });
    const { walk = '' } = await read(wash);
    await expect.poll(() => read(walk), patience).toMatchObject({ status: 'booked', walker: {} });
    const told = async () => (await system.mails()).filter(({ text }) => text.includes('you walk Toto'));
    await expect.poll(told, patience).toHaveLength(1);
    const listed = await (await system.http('/dog-walks')).json();
    expect(listed).toMatchObject({ walks: [{ dog: 'Toto', minutes: 30 }], next: null });
  });

  it('dead-letters a picture that can never be resized, and shows its owner the reason', async () => {
    const message = { image_id: 4712, user_id: 1, image_path: 'originals/nowhere.jpg' };
    await system.publisher.publish({ exchange: 'upload-pictures', routingKey: '', body: message });
    const reason = 'image_path: "originals/nowhere.jpg" is not in the bucket';
    const read = async () => (await system.http('/pictures/4712')).json();
    await expect.poll(read, patience).toMatchObject({ status: 'failed', reason, points: 10 });
    const letters = () => listDeadLetters(system.env.AMQP_URL, { queue: 'resize-picture' });
    await expect.poll(letters, patience).toHaveLength(1);
    await dropDeadLetters(system.env.AMQP_URL, { queue: 'resize-picture' });
  });

  it('answers a method of RPC to any AMQP client', async () => {
    const reply = await system.rpc.call('describe-picture', { image_path: 'originals/123456.jpg' });
    expect(reply.body).toEqual({ width: 4000, height: 2250, format: 'jpeg', bytes: expect.any(Number) });
  });

  describe('with clients that know nothing of it', () => {
    const php = (user = 'warren') => {
      const { hostname, port, password } = new URL(system.env.AMQP_URL);
      return [hostname, port, user, user === 'warren' ? decodeURIComponent(password) : 'alertme'];
    };
    const as = (user: 'alert_user:alertme' | 'rpc_user:rpcme') => {
      const { host, pathname } = new URL(system.env.AMQP_URL);
      return `amqp://${user}@${host}${pathname === '/' ? '' : pathname}`;
    };

    it('mails an alert that Python raises as alert_user, with nothing but a content type', async () => {
      const text = `from Python ${randomUUID()}`;
      const args = [as('alert_user:alertme'), 'critical.rate_limit', JSON.stringify(text)];
      await startClient('alert.py', args).done;
      const mails = async () =>
        (await system.mails())
          .filter((mail) => mail.text.includes(text))
          .map(({ subject }) => subject)
          .sort();
      await expect.poll(mails, patience).toEqual(['CRITICAL ALERT', 'RATE LIMIT ALERT!']);
      const logged = () =>
        system.db
          .selectFrom('alert_log')
          .select(['routing_key', 'content'])
          .where('message_id', 'is', null)
          .execute();
      await expect.poll(logged, patience).toEqual([{ routing_key: 'critical.rate_limit', content: text }]);
    });

    it('answers a ping from Python, with a correlation id and with nothing but reply_to', async () => {
      const ping = '{"client_name": "RPC Client 1.0", "time": 1288111236.43}';
      for (const url of [system.env.AMQP_URL, as('rpc_user:rpcme')]) {
        expect(await startClient('rpc_client.py', [url, 'ping', ping, 'call-1']).done).toEqual([
          'Pong!1288111236.43',
        ]);
        expect(await startClient('rpc_client.py', [url, 'ping', ping]).done).toEqual(['Pong!1288111236.43']);
      }
    });

    it('works on pictures that PHP announces, ids as numbers and as text', async () => {
      await startClient('publish_picture.php', [...php(), '5001', '3', 'originals/123456.jpg']).done;
      await startClient('publish_picture.php', [...php(), '5002', '3', 'originals/123456.jpg', '--text'])
        .done;
      for (const id of [5001, 5002]) {
        const read = async () => (await system.http(`/pictures/${id}`, {}, '3')).json();
        await expect
          .poll(read, patience)
          .toMatchObject({ status: 'ready', points: 10, width: 4000, height: 2250 });
      }
    });

    it('gives each upload to a new worker in PHP that binds a queue of its own', async () => {
      const worker = startClient('upload_worker.php', [...php(), `test-${randomUUID()}`, '1']);
      await worker.printed('READY');
      const body = new FormData();
      body.set('picture', new Blob([await readFile('assets/demo.jpg')]), 'demo.jpg');
      const response = await system.http('/pictures', { method: 'POST', body });
      expect(response.status).toBe(202);
      const { image_id } = (await response.json()) as { image_id: number };
      const [, line = ''] = await worker.done;
      expect(JSON.parse(line)).toEqual({ image_id, user_id: 1, image_path: `originals/${image_id}.jpg` });
    });

    it('reaches a method that Python serves over HTTP on behalf of the caller, if it is listed', async () => {
      const method = `reverse-${randomUUID().slice(0, 8)}`;
      const body = '{"text": "nerraw"}';
      const server = startClient('rpc_server.py', [system.env.AMQP_URL, method]);
      await server.printed('READY');
      const headers = { 'content-type': 'application/json' };
      expect((await system.http(`/rpc/${method}`, { method: 'POST', headers, body })).status).toBe(404);
      const { methods } = readSection({ methods: { [method]: {} } });
      const handler = createCall({ ...deps, rpc: system.rpc, methods });
      const authorization = await bearer(1);
      const event = httpEvent({ body, parameters: { method }, authorization });
      const reply = await handler(event, context);
      expect([reply.statusCode, JSON.parse(reply.body ?? '')]).toEqual([200, { text: 'warren', sub: '1' }]);
      server.kill();
      await server.done;
    });

    it('hands the request of a server that was killed to the other one', async () => {
      const method = `reverse-${randomUUID().slice(0, 8)}`;
      const holder = startClient('rpc_server.py', [system.env.AMQP_URL, method, '--hold']);
      await holder.printed('READY');
      const reply = system.rpc.call(method, { text: 'nerraw' }, { timeoutMs: 20_000 });
      await holder.printed('RECEIVED');
      const other = startClient('rpc_server.py', [system.env.AMQP_URL, method]);
      await other.printed('READY');
      holder.kill();
      expect((await reply).body).toEqual({ text: 'warren', sub: null });
      other.kill();
      await Promise.all([holder.done, other.done]);
    });
  });

  it('finds its data again after a stop, which leaves no process and no stack.env behind', async () => {
    const { env, dataDir } = system;
    await system.stop();
    expect(existsSync(join(dataDir, 'stack.env'))).toBe(false);
    for (const url of [env.HTTP_URL, env.LAMBDA_URL, env.MAILBOX_URL, env.S3_ENDPOINT]) {
      await expect(fetch(url)).rejects.toThrow();
    }
    system = await startSystem(dataDir);
    expect((await system.http('/pictures/4711', {}, '2')).status).toBe(200);
    const reply = await system.rpc.call('ping', { time: 1288111236.43 });
    expect(reply.body).toBe('Pong!1288111236.43');
  }, 300_000);
});
