import { splitArray, splitTable } from '../amqp/field-table.ts';
import { maxNestedHeaders } from '../amqp/header-size.ts';
import { type HeaderValue, toHeaderValue } from './event-headers.ts';

/**
 * Whether amqplib has replaced bytes of a text that is not UTF-8, as clients in PHP, Ruby or .NET may send it. The replacement
 * character in a valid text counts too.
 */
export function isAltered(value: unknown, depth = 0): boolean {
  if (typeof value === 'string') return value.includes('\ufffd');
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return false;
  return depth < maxNestedHeaders && Object.values(value).some((each) => isAltered(each, depth + 1));
}

/** Encodes a field table for the event. Texts keep their bytes. */
export function tableHeaders(table: Buffer, depth = 0): Record<string, HeaderValue> {
  const entries = splitTable(table).map(({ name, value }) => [name, fieldValue(value, depth)] as const);
  return Object.fromEntries(entries);
}

/** @param value with its type tag. */
function fieldValue(value: Buffer, depth: number): HeaderValue {
  const tag = String.fromCharCode(value.readUInt8());
  const read = readers[tag];
  if (read) return toHeaderValue(read(value.subarray(1)));
  const content = value.subarray(1 + lengthBytes);
  if (tag === 'S' || tag === 'x') return toHeaderValue(content);
  if (depth >= maxNestedHeaders) return null;
  if (tag === 'F') return tableHeaders(content, depth + 1);
  return splitArray(content).map((each) => fieldValue(each, depth + 1));
}

/** Bytes of the length in front of a text, bytes, a table or an array. */
const lengthBytes = 4;

/** By type tag, values with a fixed size in amqplib's form. */
const readers: Readonly<Record<string, (value: Buffer) => unknown>> = {
  t: (value) => value.readUInt8() !== 0,
  b: (value) => value.readInt8(),
  B: (value) => value.readUInt8(),
  s: (value) => value.readInt16BE(),
  u: (value) => value.readUInt16BE(),
  I: (value) => value.readInt32BE(),
  i: (value) => value.readUInt32BE(),
  l: (value) => value.readBigInt64BE(),
  f: (value) => value.readFloatBE(),
  d: (value) => value.readDoubleBE(),
  D: (value) => ({ '!': 'decimal', value: { places: value.readUInt8(), digits: value.readUInt32BE(1) } }),
  T: (value) => ({ '!': 'timestamp', value: value.readBigUInt64BE() }),
  V: () => null,
};
