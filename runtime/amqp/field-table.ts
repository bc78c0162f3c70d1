/**
 * Field tables of AMQP 0-9-1 as bytes: a copy of a message keeps each header with its value and its type, whatever client
 * wrote it. JavaScript has no 64-bit integers, no decimals and no texts that are not UTF-8, so a decoded header would change.
 *
 * @see https://www.rabbitmq.com/amqp-0-9-1-errata#section_3 for the types and their tags
 */

/** One field: its name, and its value on the wire, type tag included. */
export interface RawField {
  name: string;
  value: Buffer;
  /** The name on the wire, which may be no UTF-8; default the name in UTF-8. */
  nameBytes?: Buffer;
}

const tagBytes = 1;
/** Bytes of a value after its tag, for the types with a fixed size. */
// biome-ignore format: one line is the table of the errata
export const fixedSizes: Readonly<Record<string, number>> = { t: 1, b: 1, B: 1, s: 2, u: 2, I: 4, i: 4, l: 8, f: 4, d: 8, D: 5, T: 8, V: 0 };
/** Types whose value begins with its length in four bytes: text, bytes, table, array. */
const sized = new Set(['S', 'x', 'F', 'A']);

/**
 * Splits a table into its fields. Nested tables and arrays stay one value.
 *
 * @param table the fields without the length in front of them.
 * @throws RangeError if the table ends within a field or contains an unknown type.
 */
export function splitTable(table: Buffer): RawField[] {
  const fields: RawField[] = [];
  for (let at = 0; at < table.length; ) {
    const nameEnd = at + 1 + table.readUInt8(at);
    const end = nameEnd + valueBytes(table, nameEnd);
    if (end > table.length) throw new RangeError('the field table ends within a field');
    const nameBytes = table.subarray(at + 1, nameEnd);
    fields.push({ name: nameBytes.toString(), value: table.subarray(nameEnd, end), nameBytes });
    at = end;
  }
  return fields;
}

/**
 * Splits an array into its values, with their type tags.
 *
 * @throws RangeError as `splitTable`.
 */
export function splitArray(array: Buffer): Buffer[] {
  const values: Buffer[] = [];
  for (let at = 0; at < array.length; ) {
    const end = at + valueBytes(array, at);
    if (end > array.length) throw new RangeError('the array ends within a value');
    values.push(array.subarray(at, end));
    at = end;
  }
  return values;
}

/** Joins fields to a table with its length in front of it. */
export function joinTable(fields: readonly RawField[]): Buffer {
  const parts = fields.flatMap(({ name, value, nameBytes = Buffer.from(name) }) => [
    Buffer.of(nameBytes.length),
    nameBytes,
    value,
  ]);
  const body = Buffer.concat(parts);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
}

/** Bytes that a field takes in a table. */
export function fieldBytes({ name, value, nameBytes }: RawField): number {
  return 1 + (nameBytes?.length ?? Buffer.byteLength(name)) + value.length;
}

/** A header of ours: a text as `S`, a whole number as `l` (a signed 64-bit integer). */
export function rawField(name: string, value: string | number): RawField {
  if (typeof value === 'number') {
    const integer = Buffer.alloc(tagBytes + 8);
    integer.write('l');
    integer.writeBigInt64BE(BigInt(Math.trunc(value)), tagBytes);
    return { name, value: integer };
  }
  const text = Buffer.from(value);
  const head = Buffer.alloc(tagBytes + 4);
  head.write('S');
  head.writeUInt32BE(text.length, tagBytes);
  return { name, value: Buffer.concat([head, text]) };
}

function valueBytes(table: Buffer, at: number): number {
  const tag = String.fromCharCode(table.readUInt8(at));
  const fixed = fixedSizes[tag];
  if (fixed !== undefined) return tagBytes + fixed;
  if (sized.has(tag)) return tagBytes + 4 + table.readUInt32BE(at + tagBytes);
  throw new RangeError(`the field table contains the unknown type "${tag}"`);
}
