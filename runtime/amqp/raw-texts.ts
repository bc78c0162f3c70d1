import { isUtf8 } from 'node:buffer';

/** The basic properties of a message in the order of their flags (AMQP 0-9-1, 1.8.3 and 4.2.6.1), with their kinds on the wire. */
const layout = [
  ['contentType', 'text'],
  ['contentEncoding', 'text'],
  ['headers', 'table'],
  ['deliveryMode', 1],
  ['priority', 1],
  ['correlationId', 'text'],
  ['replyTo', 'text'],
  ['expiration', 'text'],
  ['messageId', 'text'],
  ['timestamp', 8],
  ['type', 'text'],
  ['userId', 'text'],
  ['appId', 'text'],
] as const;

/** The texts that a copy has in common with its original. */
const copiedTexts = [
  'messageId',
  'correlationId',
  'contentType',
  'contentEncoding',
  'replyTo',
  'type',
  'appId',
] as const;

type TextName = (typeof copiedTexts)[number];
export type Texts = { [Name in TextName | 'timestamp']?: unknown };

/** Timestamps that a number of JavaScript cannot hold, such as nanoseconds, by the object of the properties. */
const timestamps = new WeakMap<object, bigint>();

/** Position of the flags in a header frame, and of the properties behind them (AMQP 0-9-1, 2.3.5.2). */
const [flagsAt, propertiesAt] = [19, 21];
const surrogates = 0xdc00;
/** A pair of surrogates is one character of another category. */
const loneSurrogate = /\p{Cs}/u;

/**
 * Decodes the texts of a received message again if their bytes are not UTF-8, such as a UUID of 16 bytes. amqplib has put U+FFFD in
 * place of such bytes, so that two ids may look the same, and a reply to the second would not reach its caller. Keeps a timestamp
 * that amqplib has rounded.
 *
 * @param properties as amqplib decoded them. They are changed.
 * @param frame the frame that contains them.
 */
export function keepTexts(properties: Texts, frame: Buffer): void {
  for (const name of copiedTexts) {
    const text = properties[name];
    if (typeof text !== 'string' || !text.includes('\ufffd')) continue;
    const { from, to } = spanOf(frame, name);
    properties[name] = decodeText(frame.subarray(from + 1, to));
  }
  const { timestamp } = properties;
  if (typeof timestamp !== 'number' || Number.isSafeInteger(timestamp)) return;
  timestamps.set(properties, frame.readBigUInt64BE(spanOf(frame, 'timestamp').from));
}

/** The timestamp of a received message, as it arrived, for a copy; null if it has none. */
export function wireTimestamp(properties: { timestamp?: unknown }): number | bigint | null {
  const { timestamp } = properties;
  return timestamps.get(properties) ?? (typeof timestamp === 'number' ? timestamp : null);
}

/**
 * Takes the texts and the timestamp that only their bytes can represent out of the properties of a message to send.
 *
 * @param properties for amqplib. A placeholder takes the place of each of them.
 * @returns the bytes by the name of the property; undefined if there are none.
 */
export function takeTexts(properties: Texts): Map<string, Buffer> | undefined {
  let taken: Map<string, Buffer> | undefined;
  for (const name of copiedTexts) {
    const text = properties[name];
    if (typeof text !== 'string' || !loneSurrogate.test(text)) continue;
    taken ??= new Map();
    taken.set(name, encodeText(text));
    properties[name] = '?';
  }
  if (typeof properties.timestamp === 'bigint') {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(properties.timestamp);
    taken ??= new Map();
    taken.set('timestamp', bytes);
    properties.timestamp = 0;
  }
  return taken;
}

/** Puts these bytes in place of the texts of a header frame. */
export function withTexts(frame: Buffer, texts: ReadonlyMap<string, Buffer>): Buffer {
  let result = frame;
  for (const [name, bytes] of texts) {
    const { from, to } = spanOf(result, name);
    const length = name === 'timestamp' ? Buffer.alloc(0) : Buffer.of(bytes.length);
    result = Buffer.concat([result.subarray(0, from), length, bytes, result.subarray(to)]);
  }
  // The size of the frame's payload.
  result.writeUInt32BE(frame.readUInt32BE(3) + result.length - frame.length, 3);
  return result;
}

/** Number of bytes of a text on the wire. */
export function textBytes(text: string): number {
  return loneSurrogate.test(text) ? encodeText(text).length : Buffer.byteLength(text);
}

/**
 * Decodes UTF-8. If the bytes are no UTF-8, each byte beyond ASCII becomes a lone surrogate, U+DC80 to U+DCFF (as in Python's
 * PEP 383), which JSON can represent and which `encodeText` turns back.
 */
export function decodeText(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString();
  return Array.from(bytes, (byte) => String.fromCharCode(byte < 0x80 ? byte : surrogates + byte)).join('');
}

/** At most 255 bytes, the limit of AMQP. */
export function encodeText(text: string): Buffer {
  const parts = Array.from(text, (character) => {
    const code = character.charCodeAt(0) - surrogates;
    const isByte = character.length === 1 && code >= 0x80 && code <= 0xff;
    return isByte ? Buffer.of(code) : Buffer.from(character);
  });
  return Buffer.concat(parts).subarray(0, 255);
}

function spanOf(frame: Buffer, name: string): { from: number; to: number } {
  const present = frame.readUInt16BE(flagsAt);
  let from = propertiesAt;
  for (const [index, [each, kind]] of layout.entries()) {
    if (!(present & (0x8000 >> index))) continue;
    const to = from + sizeOf(frame, from, kind);
    if (each === name) return { from, to };
    from = to;
  }
  throw new RangeError(`${name}: expected in the properties of a message, got none`);
}

function sizeOf(frame: Buffer, at: number, kind: (typeof layout)[number][1]): number {
  if (kind === 'text') return 1 + frame.readUInt8(at);
  return kind === 'table' ? 4 + frame.readUInt32BE(at) : kind;
}
