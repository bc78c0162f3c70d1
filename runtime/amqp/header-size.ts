/** What amqplib can encode: all headers of a message in 64 KiB, and names of 255 bytes. Other clients send more. */
export const mostHeaderBytes = 48 * 1024;
const mostNameBytes = 255;
export const mostNestedHeaders = 100;

/**
 * Bytes that a header takes in a field table, at the most.
 *
 * @returns Infinity for one that can't be sent on: nested more than 100 deep, with a number from 2^63 on, or with a name in it
 *   of more than 255 bytes, as a shorter one that is not UTF-8 becomes when it is read.
 */
export function headerBytes(name: string, value: unknown, depth = 0): number {
  const nameBytes = Buffer.byteLength(name);
  if (nameBytes > mostNameBytes || depth > mostNestedHeaders) return Number.POSITIVE_INFINITY;
  return 1 + nameBytes + valueBytes(value, depth);
}

function valueBytes(value: unknown, depth: number): number {
  if (typeof value === 'string') return 5 + Buffer.byteLength(value);
  if (Buffer.isBuffer(value)) return 5 + value.length;
  if (typeof value === 'number' && !(Math.abs(value) < 2 ** 63)) return Number.POSITIVE_INFINITY;
  if (typeof value !== 'object' || value === null) return 9;
  return Object.entries(value).reduce((sum, [name, each]) => sum + headerBytes(name, each, depth + 1), 5);
}
