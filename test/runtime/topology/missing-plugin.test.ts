/** A broker without the plugin that partitions need. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PrivateBroker, privateBroker } from '../../../dev/stack/private-broker.ts';
import { applyTopology } from '../../../runtime/topology/apply.ts';
import { compileTopology } from '../../../runtime/topology/compile.ts';
import { readSection } from '../../../runtime/topology/schema.ts';

describe('a broker without rabbitmq_consistent_hash_exchange', () => {
  let broker: PrivateBroker;
  beforeAll(async () => {
    broker = await privateBroker(() => [], '', undefined, []);
    await broker.start();
  });
  afterAll(() => broker?.close());

  it('orderBy: apply names the exchange, the broker’s reason and the plugin, also among many others', async () => {
    const others = Array.from({ length: 40 }, (_, index) => [
      `other-${index}`,
      { type: 'topic', delays: true },
    ]);
    const section = {
      exchanges: { ...Object.fromEntries(others), shop: { type: 'topic' } },
      queues: { orders: { orderBy: 'header.customer', bindings: [{ exchange: 'shop', routingKey: '#' }] } },
    };
    await expect(applyTopology(broker.url, compileTopology(readSection(section)))).rejects.toMatchObject({
      code: 'ERR_TOPOLOGY',
      message: expect.stringMatching(
        /^exchange "[^"]*orders[^"]*" can't be declared: .*unknown exchange type.*; it needs the plugin rabbitmq_consistent_hash_exchange$/,
      ),
    });
  });
});
