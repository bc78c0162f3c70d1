/**
 * A function with `once` and an outbox behind a queue. It kills its process at a point of its 10th effect, so that a test sees what is
 * left. With a promise broken, the function has the effect without `once`, or publishes without the outbox.
 */
import pg from 'pg';
import { z } from 'zod';
import { Publisher, type PublisherLike } from '../../runtime/amqp/publisher.ts';
import { silentLog } from '../../runtime/base/log.ts';
import { pgDatabase } from '../../runtime/effects/database.ts';
import { Effects } from '../../runtime/effects/effects.ts';
import { EventSource } from '../../runtime/event-source/event-source.ts';
import { inProcess } from '../../runtime/hosts/in-process.ts';
import { onMessages } from '../../runtime/messages/on-messages.ts';

const [amqp = '', database = '', queue = '', target = '', point = '', broken = ''] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString: database, max: 10 });
const publisher = new Publisher({ url: amqp, name: 'effects worker' });

let effects = 0;
const reach = (at: string) => {
  if (at === point && effects >= 10) process.kill(process.pid, 'SIGKILL');
};
const dying: PublisherLike = {
  async publish(message) {
    reach('before the publish');
    const result = await publisher.publish(message);
    reach('after the publish');
    return result;
  },
};
const once = new Effects({ database: pgDatabase(pool), publisher: dying, log: silentLog });
const shippedBy = (name: string) => ({
  exchange: '',
  routingKey: target,
  messageId: `shipped ${name}`,
  body: { name },
});

const handler = onMessages({ schema: z.object({ name: z.string() }), publisher }, async (message) => {
  const { name } = message.body;
  const insert = (db: { query(text: string, values: unknown[]): Promise<unknown> }) =>
    db.query('insert into parcels values ($1)', [name]);
  effects += 1;
  if (broken === 'once') {
    await insert(pool);
    await dying.publish(shippedBy(name));
    return;
  }
  const { done } = await once.once(message, async ({ db, publish }) => {
    await insert(db);
    if (broken !== 'outbox') publish(shippedBy(name));
    reach('in the transaction');
  });
  if (broken === 'outbox' && done === 'now') await dying.publish(shippedBy(name));
});

const source = new EventSource({
  url: amqp,
  mappings: [{ functionName: 'ship', queue, vhost: '/', arn: 'arn:test', batchSize: 10, windowMs: 0 }],
  invoke: () => inProcess({ functionName: 'ship', timeoutMs: 15_000, load: async () => handler as never }),
  log: silentLog,
});
await source.start();
// The end of the input ends this process in order.
process.stdin.resume().once('end', async () => {
  await source.stop();
  process.exit();
});
