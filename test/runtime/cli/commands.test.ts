import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectFile } from '../../../dev/stack/project.ts';
import { management, openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { openDeps, uniqueId } from '../../support/deps.ts';
import { stack } from '../../support/stack.ts';
import { openVhost } from '../../support/vhost.ts';
import { startWarren } from '../../support/warren-command.ts';

/** Runs `warren` as a user would, on the parts of this run of the tests. */
const warren = (...args: string[]) => startWarren(args, { ...stack });

describe('the warren command', () => {
  const deps = openDeps();
  let broker: TestBroker;
  beforeAll(async () => {
    broker = await openBroker();
  });
  afterAll(async () => {
    await broker.close();
    await deps.close();
  });

  it.each([
    'start',
    'demo',
    'alert',
    'picture',
    'publish',
    'rpc',
    'spy',
    'dead-letters',
    'board',
    'topology',
    'token',
  ])('help: %s has an example', async (command) => {
    const { code, out } = await warren(command, '--help');
    expect([code, out]).toEqual([0, expect.stringMatching(/Usage: warren/)]);
    if (!['dead-letters', 'topology'].includes(command)) expect(out).toMatch(/Examples?:/);
  });

  it.each([
    ['worker', '--no-http'],
    ['dead-letters', 'list'],
    ['publish', 'alerts', 'a.b', 'x'],
  ])('a wrong AMQP_URL ends %s %s at once, and its password is not printed', async (...args) => {
    const AMQP_URL = 'amqp://warren:topsecret@host:port';
    const { code, out, err } = await startWarren(args, { ...stack, AMQP_URL });
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain('AMQP_URL: expected a URL such as amqp://');
    expect(err).not.toContain('topsecret');
  });

  it('the dead letters are listed if the first of two brokers is down', async () => {
    const AMQP_URL = `amqp://warren:secret@127.0.0.1:1,${stack.AMQP_URL}`;
    expect(
      await startWarren(['dead-letters', 'list', '--queue', 'none'], { ...stack, AMQP_URL }),
    ).toMatchObject({
      code: 0,
    });
  });

  it('alert: a message is persistent by default', async () => {
    const queue = await broker.queue('alerts');
    const key = `info.t${randomUUID()}`;
    await broker.channel.bindQueue(queue, 'alerts', key);
    expect(await warren('alert', '-r', key, '-m', 'hello')).toMatchObject({
      code: 0,
      out: expect.stringContaining(key),
    });
    const kept = await broker.take(queue);
    expect([JSON.parse(kept.content.toString()), kept.properties.deliveryMode]).toEqual(['hello', 2]);
    await warren('alert', '-r', key, '-m', '{"a": 1}', '--transient');
    const lost = await broker.take(queue);
    expect([JSON.parse(lost.content.toString()), lost.properties.deliveryMode]).toEqual([{ a: 1 }, 1]);
    await warren('alert', '-r', key, '-m', 'hello', '--dedup-key', 'disk 7');
    expect((await broker.take(queue)).properties.headers).toMatchObject({ dedup_key: 'disk 7' });
  });

  it('alert: a key without a binding prints "no route"', async () => {
    const result = await warren('alert', '-r', 'three.words.key', '-m', 'x');
    expect(result).toMatchObject({ code: 1, out: expect.stringContaining('no route') });
  });

  it('publish: a message gets the given id or a new one', async () => {
    const [queue, exchange] = [await broker.queue('published'), await broker.exchange('direct')];
    await broker.channel.bindQueue(queue, exchange, 'treat');
    const result = await warren('publish', exchange, 'treat', '{"dog": "Rex"}', '--id', 'treat-1');
    expect(result).toMatchObject({ code: 0, out: 'published with the message id treat-1\n' });
    const { content, properties } = await broker.take(queue);
    expect(JSON.parse(content.toString())).toEqual({ dog: 'Rex' });
    expect(properties).toMatchObject({ deliveryMode: 2, messageId: 'treat-1' });
    const nowhere = await warren('publish', exchange, 'other', '1');
    expect(nowhere).toMatchObject({ code: 1, err: expect.stringContaining('no queue is bound') });
  });

  it('--vhost: topology apply, topology show, publish, spy and rpc use this virtual host', async () => {
    const vhost = await openVhost({});
    const [queue, method] = [unique('shop'), unique('method')];
    const folder = await mkdtemp(join(tmpdir(), 'warren-vhost-'));
    const manifest = join(folder, 'warren.json');
    try {
      const bound = { bindings: [{ exchange: 'orders', routingKey: '#' }] };
      const section = { exchanges: { orders: { type: 'topic' } }, queues: { [queue]: bound } };
      await writeFile(manifest, JSON.stringify({ functions: {}, custom: { warren: section } }));
      const there = (...args: string[]) => warren(...args, '--vhost', vhost.name);
      const diff = ['topology', 'show', '--diff', '--manifest', manifest];
      expect((await there(...diff)).out).toMatch(new RegExp(`queue "${queue}" .*missing`));
      expect(await there('topology', 'apply', '--manifest', manifest)).toMatchObject({ code: 0 });
      expect((await there(...diff)).out).toBe('no differences\n');
      await management('GET', `/queues/${vhost.name}/${queue}`);
      await expect(management('GET', `/queues/%2F/${queue}`)).rejects.toThrow('404');

      const spying = there('--json', 'spy', 'orders', '--count', '1');
      const bindings = () => management<unknown[]>('GET', `/exchanges/${vhost.name}/orders/bindings/source`);
      await expect.poll(async () => (await bindings()).length, { timeout: 20_000 }).toBe(2);
      expect(await there('publish', 'orders', 'new', '{"n":1}')).toMatchObject({ code: 0 });
      expect((await vhost.take(queue)).content.toString()).toBe('{"n":1}');
      expect((await spying).out).toContain('orders');

      await vhost.channel.assertQueue(method);
      await vhost.channel.assertExchange('rpc', 'direct');
      await vhost.channel.bindQueue(method, 'rpc', method);
      const calling = there('rpc', method, '{}');
      const { replyTo, correlationId } = (await vhost.take(method)).properties;
      vhost.channel.sendToQueue(replyTo, Buffer.from('"here"'), {
        correlationId,
        contentType: 'application/json',
      });
      expect((await calling).out).toContain('here');
    } finally {
      await rm(folder, { recursive: true });
      await vhost.close();
    }
  }, 90_000);

  it('picture: a local file is stored before its message is published', async () => {
    const queue = await broker.queue('uploads');
    await broker.channel.bindQueue(queue, 'upload-pictures', '');
    const id = uniqueId();
    const { code, out } = await warren('--json', 'picture', String(id), '7', projectFile('assets/demo.jpg'));
    const image_path = `originals/${id}.jpg`;
    expect([code, JSON.parse(out)]).toEqual([
      0,
      expect.objectContaining({ image_id: id, user_id: 7, image_path }),
    ]);
    const object = await deps.storage.get(image_path, 10_000_000);
    expect(object?.body).toEqual(await readFile(projectFile('assets/demo.jpg')));
    const bodies = (await broker.drain(queue)).map(
      ({ content }) => JSON.parse(content.toString()) as unknown,
    );
    expect(bodies).toContainEqual({ image_id: id, user_id: 7, image_path });
  });

  it('picture: invalid ids and files that are not pictures are refused before anything is sent', async () => {
    const bad = await warren('picture', 'abc', '-1', 'x.jpg');
    expect(bad).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^warren: image_id: expected an integer.*user_id: /),
    });
    const text = await warren('picture', '1', '1', projectFile('package.json'));
    expect(text).toMatchObject({ code: 1, err: expect.stringContaining('expected JPEG') });
  });

  it('spy: the temporary queue is deleted at the end', async () => {
    const before = await queueNames();
    const key = `info.t${randomUUID()}`;
    const spying = warren('--json', 'spy', 'alerts', key, '--count', '1');
    const sent = async () => {
      await broker.channel.publish('alerts', key, Buffer.from('"seen"'), { contentType: 'application/json' });
      return Promise.race([spying, new Promise((resolve) => setTimeout(resolve, 200))]);
    };
    await expect.poll(sent, { timeout: 20_000, interval: 10 }).toMatchObject({ code: 0 });
    expect((await spying).out).toContain('seen');
    expect(await queueNames()).toEqual(before);
  });

  it('spy, dead-letters show: control characters of a sender are escaped in the output', async () => {
    const exchange = await broker.exchange('topic');
    const bad = '\u001b[2J\u009b1m\u0007';
    const spy = warren('spy', exchange, '--count', '2');
    await expect
      .poll(
        async () => {
          const bindings = await management<unknown[]>('GET', `/exchanges/%2F/${exchange}/bindings/source`);
          return bindings.length;
        },
        { timeout: 20_000 },
      )
      .toBe(1);
    await broker.publish(exchange, `a${bad}`, Buffer.from(`text ${bad}\n`), { messageId: `id ${bad}` });
    await broker.publish(exchange, 'b', bad);
    const { out } = await spy;
    expect(out).toContain('\\u001b[2J');
    expect(out).toContain('\\u009b1m');
    expect(out.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
    const gone = await warren('dead-letters', 'show', `id ${bad}`);
    expect(gone.err).toContain('id \\u001b[2J');
    expect(gone.err.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
  });

  it('spy: a missing exchange is an error and ends the command', async () => {
    const result = await warren('spy', 'no-such-exchange');
    expect(result).toMatchObject({ code: 1, err: expect.stringContaining('no exchange "no-such-exchange"') });
  });

  it('token: a missing secret is an error of one line', async () => {
    const { out } = await warren('token', '--user', '2', '--scope', 'rpc:call');
    expect((await deps.authenticate(`Bearer ${out.trim()}`)).id).toBe(2);
    const env = { PATH: process.env['PATH'], WARREN_DATA: '/nowhere' };
    const nothing = await new Promise<string>((resolve) => {
      execFile(process.execPath, [projectFile('dev/warren.mjs'), 'token'], { env }, (_error, _out, err) =>
        resolve(err),
      );
    });
    expect(nothing.trim().split('\n')).toEqual([
      expect.stringContaining('AUTH_JWT_SECRET: expected a value, got none'),
    ]);
  });

  it('rpc: a method without a consumer prints "no such method"', async () => {
    const result = await warren('rpc', `none-${randomUUID()}`, '{}');
    expect(result).toMatchObject({ code: 1, out: expect.stringContaining('no such method') });
  });
});

/** Queues whose names the broker made up. */
async function queueNames(): Promise<string[]> {
  const queues = await management<{ name: string }[]>('GET', '/queues/%2F');
  return queues.map(({ name }) => name).filter((name) => name.startsWith('amq.'));
}
