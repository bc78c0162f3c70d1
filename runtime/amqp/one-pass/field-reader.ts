import { fixedSizes } from '../field-table.ts';
import { int64, uint16, uint32, uint64 } from './integers.ts';
import { KnownTexts } from './known-texts.ts';

/** Stands for a value that amqplib has to read: one of an unknown type, or one that ends elsewhere than it should. */
export const unread = Symbol('unread');

/** Deeper ones are amqplib's, whose recursion ends with the stack. Those of `x-death` are two levels deep. */
const maxDepth = 8;
const names = new KnownTexts();

// biome-ignore format: one line is the table of the errata
const [text, bytesTag, table, array, bool, int8, uint8, short, ushort, int, uint, long, float, double, decimal, time] =
  Array.from('SxFAtbBsuIilfdDT', (tag) => tag.charCodeAt(0));

/** Bytes of a value of a fixed size by its tag; Infinity for an unknown type. */
const sizes = new Float64Array(256).fill(Number.POSITIVE_INFINITY);
for (const [tag, size] of Object.entries(fixedSizes)) sizes[tag.charCodeAt(0)] = size;

/** A position that moves through the bytes that have arrived. */
export interface Cursor {
  bytes: Buffer;
  at: number;
}

/**
 * Reads a field table with the values that amqplib gives.
 *
 * @param cursor at its first field, behind the length. Afterwards it is at the end, unless the table is unread.
 * @param end of the table.
 *
 * @see https://www.rabbitmq.com/amqp-0-9-1-errata#section_3 for the types and their tags
 */
export function readTable(cursor: Cursor, end: number, depth = 0): Record<string, unknown> | typeof unread {
  const { bytes } = cursor;
  const fields: Record<string, unknown> = {};
  while (cursor.at < end) {
    const from = cursor.at + 1;
    const to = from + (bytes[cursor.at] as number);
    // Behind the name there is at least the tag of its value.
    if (to >= end) return unread;
    const name = names.read(bytes, from, to);
    cursor.at = to;
    const value = readValue(cursor, end, depth);
    if (value === unread) return unread;
    // As with amqplib, a field `__proto__` replaces the prototype of this table alone.
    fields[name] = value;
  }
  return fields;
}

function readArray(cursor: Cursor, end: number, depth: number): unknown[] | typeof unread {
  const values: unknown[] = [];
  while (cursor.at < end) {
    const value = readValue(cursor, end, depth);
    if (value === unread) return unread;
    values.push(value);
  }
  return values;
}

/** Reads a value at its tag. It has to end at `end` or before. */
function readValue(cursor: Cursor, end: number, depth: number): unknown {
  const { bytes } = cursor;
  const tag = bytes[cursor.at] as number;
  const from = cursor.at + 1;
  if (tag === text || tag === table || tag === array || tag === bytesTag) {
    if (from + 4 > end) return unread;
    const to = from + 4 + uint32(bytes, from);
    if (to > end) return unread;
    cursor.at = from + 4;
    if (tag === table || tag === array) {
      if (depth === maxDepth) return unread;
      return tag === table ? readTable(cursor, to, depth + 1) : readArray(cursor, to, depth + 1);
    }
    cursor.at = to;
    return tag === text ? bytes.toString(undefined, from + 4, to) : bytes.subarray(from + 4, to);
  }
  const size = sizes[tag] as number;
  if (from + size > end) return unread;
  cursor.at = from + size;
  return fixedValue(bytes, tag, from);
}

function fixedValue(bytes: Buffer, tag: number, at: number): unknown {
  switch (tag) {
    case bool:
      return bytes[at] !== 0;
    case int8:
      return bytes.readInt8(at);
    case uint8:
      return bytes[at];
    case short:
      return bytes.readInt16BE(at);
    case ushort:
      return uint16(bytes, at);
    case int:
      return uint32(bytes, at) | 0;
    case uint:
      return uint32(bytes, at);
    case float:
      return bytes.readFloatBE(at);
    case double:
      return bytes.readDoubleBE(at);
    case long:
      return int64(bytes, at);
    case time:
      return { '!': 'timestamp', value: uint64(bytes, at) };
    case decimal:
      return { '!': 'decimal', value: { places: bytes[at], digits: uint32(bytes, at + 1) } };
    // The type `V`, which has no value.
    default:
      return null;
  }
}
