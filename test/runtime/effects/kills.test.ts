import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectFile } from '../../../dev/stack/project.ts';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { silentLog } from '../../../runtime/base/log.ts';
import { Effects } from '../../../runtime/effects/effects.ts';
import { openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { effectsDatabase } from '../../support/effects.ts';
import { stack } from '../../support/stack.ts';

describe('effects of a worker that is killed', () => {
  let own: Awaited<ReturnType<typeof effectsDatabase>>;
  let broker: TestBroker;
  const publisher = new Publisher({ url: stack.AMQP_URL, name: unique('kills') });
  beforeAll(async () => {
    [own, broker] = await Promise.all([effectsDatabase(), openBroker()]);
  });
  afterAll(async () => {
    await Promise.all([publisher.close(), broker.close()]);
    await own.drop();
  });

  const start = (queue: string, target: string, point = '', broken = '') => {
    const file = projectFile('test/support/effects-worker.ts');
    const args = ['--import', 'tsx', file, stack.AMQP_URL, own.url, queue, target, point, broken];
    return spawn(process.execPath, args, { stdio: ['pipe', 'inherit', 'inherit'] });
  };

  /** Has a worker killed at each point, then another that finishes. @returns the names of parcels and of messages. */
  const course = async (points: readonly string[], broken?: string) => {
    const [queue, target] = [await broker.queue(), await broker.queue()];
    const names = Array.from({ length: 60 }, (_, n) => `${queue} ${n}`);
    // One message in four comes twice.
    const sent = [...names, ...names.filter((_, n) => n % 4 === 0)];
    const send = (name: string) =>
      publisher.publish({ exchange: '', routingKey: queue, messageId: name, body: { name } });
    await Promise.all(sent.map(send));
    for (const point of points) {
      const [code, signal] = await once(start(queue, target, point, broken), 'exit');
      expect([code, signal], point).toEqual([null, 'SIGKILL']);
    }
    // A worker that ends returns messages that it has not begun.
    do {
      const last = start(queue, target, '', broken);
      await expect.poll(() => broker.count(queue), { timeout: 30_000 }).toBe(0);
      last.stdin.end();
      expect(await once(last, 'exit')).toEqual([0, null]);
    } while ((await broker.count(queue)) > 0);
    // In place of waiting until the relay may take what the killed workers left.
    await own.run`update warren_outbox set due_at = now()`;
    await new Effects({ database: own.clients.pg.database, publisher, log: silentLog }).relay();
    const rows = await own.run`select name from parcels where name like ${`${queue} %`}`;
    const messages = (await broker.drain(target)).map(({ properties }) => String(properties.messageId));
    const left = await own.run`select id from warren_outbox`;
    expect(left).toEqual([]);
    return { names: names.sort(), rows: rows.map(({ name }) => String(name)).sort(), messages };
  };
  const shipped = (names: readonly string[]) => new Set(names.map((name) => `shipped ${name}`));

  it('each row is there once, and each message is published with one id, after kills at each point', async () => {
    const points = ['in the transaction', 'before the publish', 'after the publish'];
    const { names, rows, messages } = await course(points);
    expect(rows).toEqual(names);
    expect(new Set(messages)).toEqual(shipped(names));
  }, 90_000);

  it('rows come twice if the function does without once, so that the course notices it', async () => {
    const { names, rows } = await course(['after the publish'], 'once');
    expect(rows.length).toBeGreaterThan(names.length);
  }, 60_000);

  it('a message is lost if the function publishes without the outbox, so that the course notices it', async () => {
    const { names, rows, messages } = await course(['before the publish'], 'outbox');
    expect(rows).toEqual(names);
    expect(new Set(messages).size).toBeLessThan(names.length);
  }, 60_000);
});
