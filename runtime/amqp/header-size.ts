/** Limit for all headers of a message: amqplib encodes at most 64 KiB. Other clients send more. */
export const maxHeaderBytes = 48 * 1024;
/** Levels of nesting that are read and sent on. */
export const maxNestedHeaders = 100;
/** Limit of AMQP for a name. */
const maxNameBytes = 255;

/**
 * Upper bound for the bytes of a header in a field table.
 *
 * @returns Infinity if the header cannot be sent on: it is nested more than 100 levels deep, contains a number beyond 2^53, whose
 *   digits are lost already, or contains a name of more than 255 bytes. A shorter name that is not UTF-8 can grow to that when it
 *   is decoded.
 */
export function headerBytes(name: string, value: unknown, depth = 0): number {
  const nameBytes = Buffer.byteLength(name);
  if (nameBytes > maxNameBytes || depth > maxNestedHeaders) return Number.POSITIVE_INFINITY;
  return 1 + nameBytes + valueBytes(value, depth);
}

function valueBytes(value: unknown, depth: number): number {
  if (typeof value === 'string') return 5 + Buffer.byteLength(value);
  if (Buffer.isBuffer(value)) return 5 + value.length;
  if (typeof value === 'number' && !(Math.abs(value) <= Number.MAX_SAFE_INTEGER))
    return Number.POSITIVE_INFINITY;
  if (typeof value !== 'object' || value === null) return 9;
  return Object.entries(value).reduce((sum, [name, each]) => sum + headerBytes(name, each, depth + 1), 5);
}
