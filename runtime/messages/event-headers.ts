import { isUtf8 } from 'node:buffer';
import { maxNestedHeaders } from '../amqp/header-size.ts';
import { toTimestamp } from './event-timestamp.ts';

/** A header as JSON: a string becomes the bytes of its UTF-8 form. */
export type HeaderValue =
  | { bytes: number[] }
  | number
  | boolean
  | string
  | null
  | HeaderValue[]
  | { [name: string]: HeaderValue };

/** Encodes headers for the event. */
export function toHeaders(headers: Record<string, unknown>): Record<string, HeaderValue> {
  return mapValues(headers, toHeaderValue);
}

/**
 * Encodes a header value of any AMQP type (RabbitMQ's errata to AMQP 0-9-1, field tables).
 *
 * @returns null for a value that is nested too deep to be sent on. If the stack overflowed, the whole batch would fail.
 */
export function toHeaderValue(value: unknown, depth = 0): HeaderValue {
  if (typeof value === 'string') return { bytes: utf8(value) };
  if (Buffer.isBuffer(value)) return { bytes: [...value] };
  if (typeof value === 'number' || typeof value === 'boolean') return value;
  if (typeof value === 'bigint') return Number(value);
  if (typeof value !== 'object' || value === null || depth >= maxNestedHeaders) return null;
  const inner = (each: unknown) => toHeaderValue(each, depth + 1);
  if (Array.isArray(value)) return value.map(inner);
  // amqplib marks the types that JavaScript lacks with a key "!".
  if ('!' in value && 'value' in value) return typedValue(value['!'], value.value) ?? inner(value.value);
  return mapValues(value as Record<string, unknown>, inner);
}

/** A time or a decimal of amqplib; undefined for a table of another program that has the same keys. */
function typedValue(type: unknown, value: unknown): HeaderValue | undefined {
  if (type === 'timestamp' && (typeof value === 'number' || typeof value === 'bigint')) {
    return toHeaderValue(toTimestamp(Number(value)));
  }
  if (type !== 'decimal' || typeof value !== 'object' || value === null) return undefined;
  const { digits, places } = value as { digits?: unknown; places?: unknown };
  return typeof digits === 'number' && typeof places === 'number' ? digits / 10 ** places : undefined;
}

/** The bytes of a text. Most texts are short and in ASCII, which is faster without a buffer. */
function utf8(text: string): number[] {
  const bytes: number[] = [];
  for (let n = 0; n < text.length; n += 1) {
    const code = text.charCodeAt(n);
    if (code > 127) return [...Buffer.from(text)];
    bytes.push(code);
  }
  return bytes;
}

/** Decodes headers of the event to plain values. */
export function fromHeaders(
  headers: Record<string, HeaderValue> | null | undefined,
): Record<string, unknown> {
  return headers ? mapValues(headers, fromHeaderValue) : {};
}

/** Decodes a header value: bytes become text again if they are UTF-8, and a value that is nested too deep becomes null. */
export function fromHeaderValue(value: HeaderValue, depth = 0): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const inner = (each: HeaderValue) => fromHeaderValue(each, depth + 1);
  if (Array.isArray(value)) return depth < maxNestedHeaders ? value.map(inner) : null;
  const { bytes } = value;
  if (isBytes(bytes) && Object.keys(value).length === 1) {
    const content = Buffer.from(bytes);
    return isUtf8(content) ? content.toString() : content;
  }
  if (depth >= maxNestedHeaders) return null;
  return mapValues(value as Record<string, HeaderValue>, inner);
}

/** A table of another program may have a field of this name with anything in it. */
function isBytes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'number');
}

function mapValues<From, To>(record: Record<string, From>, map: (value: From) => To): Record<string, To> {
  const result: Record<string, To> = {};
  for (const key of Object.keys(record)) {
    const value = map(record[key] as From);
    // An assignment of this key would change the object's prototype.
    if (key === '__proto__') Object.defineProperty(result, key, { value, enumerable: true });
    else result[key] = value;
  }
  return result;
}
