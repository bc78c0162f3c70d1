import type { ConfirmChannel, GetMessage } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BrokerConnection } from '../../../runtime/amqp/connection.ts';
import { joinTable, type RawField, rawField, splitTable } from '../../../runtime/amqp/field-table.ts';
import { rawHeaders, withRawHeaders } from '../../../runtime/amqp/raw-headers.ts';
import { openBroker, type TestBroker } from '../../support/broker.ts';
import { stack } from '../../support/stack.ts';

/** One header of each type that RabbitMQ knows, with values that a decoded header would change. */
const fields: RawField[] = [
  ['boolean', 't01'],
  ['int8', 'b80'],
  ['uint8', 'Bff'],
  ['int16', 's8000'],
  ['uint16', 'uffff'],
  ['int32', 'I00000005'],
  ['uint32', 'iffffffff'],
  ['int64', 'l0020000000000001'],
  ['float', 'f3fc00000'],
  ['double', 'd4014000000000000'],
  ['decimal', 'D0280003039'],
  ['timestamp', 'T000001938d5a7c80'],
  ['void', 'V'],
  ['text', `S00000003${Buffer.from('abc').toString('hex')}`],
  ['text that is not UTF-8', 'S00000004e974e900'],
  ['bytes', 'x00000004fffe0080'],
  ['array', 'A0000000fI00000005x00000002fffel0020000000000001'.replace('0000000f', '00000015')],
  ['table', 'F0000000a016bl0020000000000001'.replace('0000000a', '0000000b')],
].map(([name = '', text = '']) => ({ name, value: bytesOf(text) }));

/** Reads a text in which a letter that is no hexadecimal digit, or a type tag in front of digits, stands for itself. */
function bytesOf(text: string): Buffer {
  const [, tag = '', rest = ''] = /^([A-Za-z])(.*)$/.exec(text) ?? [];
  const parts = rest
    .split(/(?=[Ixl])/)
    .map((part) =>
      /^[Ixl]/.test(part)
        ? Buffer.concat([Buffer.from(part[0] ?? ''), Buffer.from(part.slice(1), 'hex')])
        : Buffer.from(part, 'hex'),
    );
  return Buffer.concat([Buffer.from(tag), ...parts]);
}

/** Newer versions of RabbitMQ sort the fields (docs/event-source.md); a table has no order (AMQP 0-9-1, 4.2.5.5). */
const byName = (table: readonly RawField[]) => [...table].sort((a, b) => (a.name < b.name ? -1 : 1));

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
      const received = splitTable(rawHeaders(first.properties) ?? Buffer.alloc(0));
      expect(byName(received)).toEqual(byName(fields));
      expect(first.content.equals(content)).toBe(true);
      expect(first.properties).toMatchObject({ contentType: 'text/plain', contentEncoding: 'identity' });

      await publish(queue, joinTable([...received, rawField('ours', 'é'), rawField('count', 3)]), content);
      const second = await get(queue);
      const copied = splitTable(rawHeaders(second.properties) ?? Buffer.alloc(0));
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

  it('raw headers: a publish beside one with raw headers keeps its own', async () => {
    const queue = await broker.queue('raw', {});
    await publish(queue, joinTable(fields), Buffer.from('1'));
    channel.publish('', queue, Buffer.from('2'), { headers: { own: 'yes' } });
    await channel.waitForConfirms();
    await get(queue);
    expect((await get(queue)).properties.headers).toEqual({ own: 'yes' });
  });

  it('field table: one that ends within a field is refused', () => {
    const whole = joinTable(fields).subarray(4);
    for (const end of [1, 5, whole.length - 1])
      expect(() => splitTable(whole.subarray(0, end))).toThrow(RangeError);
    expect(() => splitTable(Buffer.from('\u0001aQ'))).toThrow('unknown type "Q"');
  });
});
