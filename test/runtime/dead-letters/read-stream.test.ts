import { type ChannelModel, type ConfirmChannel, connect } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PrivateBroker, privateBroker } from '../../../dev/stack/private-broker.ts';
import { BrokerConnection } from '../../../runtime/amqp/connection.ts';
import { DeadLetterIndex } from '../../../runtime/dead-letters/dead-letter-index.ts';
import { deadLetterEntries } from '../../../runtime/dead-letters/entries.ts';
import { type ReadStreamOptions, readStream } from '../../../runtime/dead-letters/read-stream.ts';
import { applyTopology } from '../../../runtime/topology/apply.ts';
import { compileTopology } from '../../../runtime/topology/compile.ts';
import { deadLetterLog, deadLetterMarks } from '../../../runtime/topology/names.ts';
import { readSection } from '../../../runtime/topology/schema.ts';
import { publishAllDead } from '../../support/dead-letters.ts';

let node: PrivateBroker;
let connection: BrokerConnection;
let model: ChannelModel;
let channel: ConfirmChannel;

beforeAll(async () => {
  node = await privateBroker();
  await applyTopology(
    node.url,
    compileTopology(readSection({ deadLetterIndex: true, queues: { shop: {} } })),
  );
  connection = new BrokerConnection({ url: node.url, name: 'read stream' });
  model = await connect(node.url);
  channel = await model.createConfirmChannel();
}, 60_000);
afterAll(async () => {
  await connection?.close();
  await model?.close();
  await node?.close();
});

/**
 * Lets the process of a stream run for a moment each 0.7 s, as on a machine with too much work. The channels of the broker run on,
 * so that all other answers come at once.
 */
async function slow(stream: string, rounds: number): Promise<void> {
  const name = `rabbit_misc:r(<<"/">>, queue, <<"${stream}">>)`;
  const find = `{ok, Q} = rabbit_amqqueue:lookup(${name}), #{name := N} = amqqueue:get_type_state(Q)`;
  const pause = 'erlang:suspend_process(P), timer:sleep(700), erlang:resume_process(P), timer:sleep(1)';
  const run = `spawn(fun() -> [begin ${pause} end || _ <- lists:seq(1, ${rounds})] end), ok.`;
  await node.control('eval', `${find}, {ok, P} = rabbit_stream_coordinator:local_pid(N), ${run}`);
}

async function read(name: string, options?: ReadStreamOptions): Promise<number[]> {
  const offsets: number[] = [];
  for await (const { offset } of readStream(connection, name, options)) offsets.push(offset);
  return offsets;
}
const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);

describe('readStream', () => {
  it('stream: its end is certain while the broker is slow, at each beginning', async () => {
    const name = 'history';
    await channel.assertQueue(name, { durable: true, arguments: { 'x-queue-type': 'stream' } });
    for (const n of upTo(2500)) channel.sendToQueue(name, Buffer.from(String(n)));
    await channel.waitForConfirms();
    await expect
      .poll(async () => (await channel.checkQueue(name)).messageCount, { timeout: 20_000 })
      .toBe(2500);
    await slow(name, 40);
    for (let round = 0; round < 4; round += 1) {
      expect(await read(name)).toEqual(upTo(2500));
      expect(await read(name, { from: 2499, ahead: 1 })).toEqual([2499]);
      expect((await read(name, { from: 'last' })).at(-1)).toBe(2499);
      expect(await read(name, { from: 2500 })).toEqual([]);
    }
  }, 120_000);

  it('index: the first dead letter of all is found while the broker is slow, and nothing else', async () => {
    await slow(deadLetterLog, 60);
    await slow(deadLetterMarks, 60);
    const idsIn = async () => {
      const ids: string[] = [];
      for await (const { letter } of deadLetterEntries(node.url)) ids.push(letter.id);
      return ids;
    };
    const index = new DeadLetterIndex(node.url);
    try {
      expect(await idsIn()).toEqual([]);
      await publishAllDead(channel, [{ id: 'first' }]);
      expect(await idsIn()).toEqual(['first']);
      await index.update();
      const [entry] = index.page({}, {});
      expect(entry?.id).toBe('first');
      for (let round = 0; round < 4; round += 1) {
        expect(await idsIn()).toEqual(['first']);
        await index.update();
        expect(index.size).toBe(1);
        expect((await index.read(entry ? [entry] : []))[0]?.letter.id).toBe('first');
      }
    } finally {
      await index.close();
    }
  }, 120_000);
});
