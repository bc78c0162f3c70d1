import type { Channel } from 'amqplib';
import { type RawField, splitTable } from '../../runtime/amqp/field-table.ts';
import { rawHeaders } from '../../runtime/amqp/raw-headers.ts';

/** One header of each type that RabbitMQ knows, with values that a decoded header would change. */
export const wireFields: RawField[] = [
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
  ['array', 'A00000015I00000005x00000002fffel0020000000000001'],
  ['table', 'F0000000b016bl0020000000000001'],
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

/** The headers of a received message as they arrived, without the bytes of their names. */
export function fieldsOf({ properties }: { properties: object }): RawField[] {
  return splitTable(rawHeaders(properties) ?? Buffer.alloc(0)).map(({ name, value }) => ({ name, value }));
}

/** RabbitMQ keeps the order of the fields up to 4.2, and sorts them from 4.3 on; a table has no order (AMQP 0-9-1, 4.2.5.5). */
export const byName = (table: readonly RawField[]) => [...table].sort((a, b) => (a.name < b.name ? -1 : 1));

/** A correlation id in bytes that are not UTF-8, and too many of them for the text that amqplib makes of it. */
const binaryId = Buffer.alloc(200, 0xff);

/** `binaryId` as our connections decode it. */
export const escapedId = '\udcff'.repeat(200);

/**
 * Publishes with `binaryId` as the correlation id, which amqplib cannot encode.
 *
 * @param publish publishes one small message on this channel, at once, with the given correlation id.
 */
export function withBinaryId(channel: Channel, publish: (correlationId: string) => unknown): void {
  const { connection, ch } = channel as unknown as {
    connection: { channels: { buffer: { write(bytes: Buffer): boolean } }[] };
    ch: number;
  };
  const placeholder = 'x'.repeat(binaryId.length);
  const buffer = connection.channels[ch]?.buffer as { write(bytes: Buffer): boolean };
  const write = buffer.write.bind(buffer);
  buffer.write = (bytes) => {
    const at = bytes.indexOf(placeholder);
    if (at >= 0) binaryId.copy(bytes, at);
    return write(bytes);
  };
  publish(placeholder);
  buffer.write = write;
}
