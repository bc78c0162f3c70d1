import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { ConfirmChannel, GetMessage } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BrokerConnection } from '../../../runtime/amqp/connection.ts';
import { joinTable, rawField, splitTable } from '../../../runtime/amqp/field-table.ts';
import { rawHeaderBytes, rawHeaders, withRawHeaders } from '../../../runtime/amqp/raw-headers.ts';
import { openBroker, type TestBroker } from '../../support/broker.ts';
import { stack } from '../../support/stack.ts';
import { byName, wireFields as fields, fieldsOf } from '../../support/wire-fields.ts';

describe('raw headers', () => {
  let broker: TestBroker;
  let connection: BrokerConnection;
  let channel: ConfirmChannel;
  beforeAll(async () => {
    broker = await openBroker();
    connection = new BrokerConnection({ url: stack.AMQP_URL, name: 'raw headers' });
    channel = await connection.confirmChannel();
  });
  afterAll(async () => {
    await connection.close();
    await broker.close();
  });

  const publish = async (queue: string, table: Buffer, content: Buffer) => {
    await withRawHeaders(channel, table, async () => {
      channel.publish('', queue, content, {
        contentType: 'text/plain',
        contentEncoding: 'identity',
        headers: {},
      });
    });
    await channel.waitForConfirms();
  };
  const get = async (queue: string): Promise<GetMessage> => {
    const message = await channel.get(queue, { noAck: true });
    if (!message) throw new Error(`nothing in ${queue}`);
    return message;
  };

  it.each([10, 5000])(
    'raw headers: every type survives a copy byte by byte, with a body of %i bytes',
    async (size) => {
      const queue = await broker.queue('raw', {});
      const content = Buffer.alloc(size, 'x');
      await publish(queue, joinTable(fields), content);
      const first = await get(queue);
      const received = fieldsOf(first);
      expect(byName(received)).toEqual(byName(fields));
      expect(first.content.equals(content)).toBe(true);
      expect(first.properties).toMatchObject({ contentType: 'text/plain', contentEncoding: 'identity' });

      await publish(queue, joinTable([...received, rawField('ours', 'é'), rawField('count', 3)]), content);
      const second = await get(queue);
      const copied = fieldsOf(second);
      const ours = ['ours', 'count'];
      expect(byName(copied.filter(({ name }) => !ours.includes(name)))).toEqual(byName(fields));
      expect(second.properties.headers).toMatchObject({ ours: 'é', count: 3, void: null });
    },
  );

  it('raw headers: a message without any header has an empty table', async () => {
    const queue = await broker.queue('raw', {});
    await broker.send(queue, 1);
    expect(rawHeaders((await get(queue)).properties)).toEqual(Buffer.alloc(0));
    expect(rawHeaders({})).toBeUndefined();
  });

  it('raw headers: a copy of the properties has none, because its headers may have changed', async () => {
    const queue = await broker.queue('raw', {});
    await publish(queue, joinTable(fields), Buffer.from('1'));
    const { properties } = await get(queue);
    expect(rawHeaderBytes(properties)).toBeGreaterThan(0);
    expect(rawHeaderBytes(properties)).toBe(rawHeaders(properties)?.length);
    expect(rawHeaders({ ...properties, headers: {} })).toBeUndefined();
    expect(rawHeaderBytes({ ...properties, headers: {} })).toBe(0);
  });

  it('raw headers: a publish beside one with raw headers keeps its own', async () => {
    const queue = await broker.queue('raw', {});
    await publish(queue, joinTable(fields), Buffer.from('1'));
    channel.publish('', queue, Buffer.from('2'), { headers: { own: 'yes' } });
    await channel.waitForConfirms();
    await get(queue);
    expect((await get(queue)).properties.headers).toEqual({ own: 'yes' });
  });

  it('raw headers: copies leave nothing behind on their channel, and read messages nothing in memory', async () => {
    const queue = await broker.queue('raw', {});
    const { connection: wire, ch } = channel as unknown as {
      connection: { channels: { buffer: { write: unknown } }[] };
      ch: number;
    };
    const written = () => wire.channels[ch]?.buffer.write;
    await publish(queue, joinTable(fields), Buffer.from('first'));
    const write = written();
    for (let n = 0; n < 100; n += 1) await publish(queue, joinTable(fields), Buffer.from(`${n}`));
    expect(written()).toBe(write);
    const tables: WeakRef<Buffer>[] = [];
    for (let n = 0; n < 100; n += 1) {
      const table = rawHeaders((await get(queue)).properties);
      if (table) tables.push(new WeakRef(table));
    }
    expect(tables).toHaveLength(100);
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    // The last ones may still be on a stack.
    await expect
      .poll(() => {
        collect();
        return tables.filter((table) => table.deref()).length;
      })
      .toBeLessThan(5);
  });

  it('raw headers: a name that is not UTF-8 keeps its bytes', async () => {
    const queue = await broker.queue('raw', {});
    const nameBytes = Buffer.from([0x67, 0x72, 0xf6, 0xdf, 0x65]);
    await publish(
      queue,
      joinTable([{ name: 'ignored', value: Buffer.from('V'), nameBytes }]),
      Buffer.from('1'),
    );
    const [field] = splitTable(rawHeaders((await get(queue)).properties) ?? Buffer.alloc(0));
    expect(joinTable(field ? [field] : []).subarray(5)).toEqual(Buffer.concat([nameBytes, Buffer.from('V')]));
  });

  it('field table: one that ends within a field is refused', () => {
    const whole = joinTable(fields).subarray(4);
    for (const end of [1, 5, whole.length - 1])
      expect(() => splitTable(whole.subarray(0, end))).toThrow(RangeError);
    expect(() => splitTable(Buffer.from('\u0001aQ'))).toThrow('unknown type "Q"');
  });
});
