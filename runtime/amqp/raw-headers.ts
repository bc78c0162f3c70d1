import type { Channel, ChannelModel } from 'amqplib';
import { keepTexts, type Texts, withTexts } from './raw-texts.ts';

/** A constructor that returns the object that it is given, so that a subclass adds its private fields to it. */
class Given {
  constructor(given: object) {
    // biome-ignore lint/correctness/noConstructorReturn: the purpose of this class.
    return given;
  }
}

/**
 * Keeps where the headers of a message arrived in private fields of its properties: a copy of them may have other headers, and a
 * comparison must not see it. A WeakMap and `Object.defineProperty` cost more CPU time.
 */
class Arrived extends Given {
  readonly #bytes: Buffer;
  readonly #from: number;
  readonly #to: number;

  private constructor(properties: object, bytes: Buffer, from: number, to: number) {
    super(properties);
    this.#bytes = bytes;
    this.#from = from;
    this.#to = to;
  }

  static keep(properties: object, bytes: Buffer, from: number, to: number): void {
    new Arrived(properties, bytes, from, to);
  }

  static table(properties: object): Buffer | undefined {
    return #bytes in properties ? properties.#bytes.subarray(properties.#from, properties.#to) : undefined;
  }

  static size(properties: object): number {
    return #bytes in properties ? properties.#to - properties.#from : 0;
  }
}

/** The parts of amqplib's connection that its types leave out. */
interface Wire {
  /** Bytes that have arrived and are not read yet. */
  rest: Buffer;
  /** The next frame; false if it is not complete. */
  recvFrame(): false | { fields?: Texts & { headers?: unknown } };
  channels: ({ buffer: { write(bytes: Buffer): boolean } } | undefined)[];
}

const headerFrame = 2;
const frameOverhead = 8;
/** Position of the flags and of the properties in a header frame. */
const [flagsAt, propertiesAt] = [19, 21];
const flags = { contentType: 0x8000, contentEncoding: 0x4000, headers: 0x2000 };

/**
 * Keeps the headers of every message that arrives on a connection as bytes, beside the values that amqplib decodes.
 *
 * @see AMQP 0-9-1, 2.3.5.2, for the frame that contains a message's properties
 */
export function keepRawHeaders(model: ChannelModel): void {
  const connection = wireOf(model.connection);
  const read = connection.recvFrame.bind(connection);
  connection.recvFrame = () => {
    const bytes = connection.rest;
    const frame = read();
    const fields = frame && bytes[0] === headerFrame ? frame.fields : undefined;
    // amqplib's function calls itself if bytes are missing, and then returns a frame twice, at first with all of its bytes.
    if (fields && isComplete(bytes)) {
      keepTexts(fields, bytes);
      if (fields.headers === undefined) return frame;
      const at = tableOffset(bytes);
      keepTable(fields, bytes, at + 4, at + 4 + bytes.readUInt32BE(at));
    }
    return frame;
  };
}

/**
 * Keeps the headers of a message as bytes, for `rawHeaders`.
 *
 * @param bytes that arrived; the field table is in them from `from` to `to`, without its length.
 */
export function keepTable(properties: object, bytes: Buffer, from: number, to: number): void {
  Arrived.keep(properties, bytes, from, to);
}

/**
 * The headers of a received message as they arrived.
 *
 * @param properties of the message, the very object that amqplib handed out.
 * @returns the field table without its length; undefined if the message has no headers or came from somewhere else.
 */
export function rawHeaders(properties: object): Buffer | undefined {
  return Arrived.table(properties);
}

/** Bytes of `rawHeaders`; 0 without any. */
export function rawHeaderBytes(properties: object): number {
  return Arrived.size(properties);
}

/**
 * Publishes with a table in place of the headers.
 *
 * @param table with its length in front, from `joinTable`.
 * @param publish publishes one message on this channel, at once, with an empty object as its headers.
 */
export function withRawHeaders<Result>(channel: Channel, table: Buffer, publish: () => Result): Result {
  return rewriting(channel, (frame) => withTable(frame, table), publish);
}

/**
 * Publishes with bytes in place of texts.
 *
 * @param texts as `takeTexts` returns them.
 * @param publish as for `withRawHeaders`.
 */
export function withRawTexts<Result>(
  channel: Channel,
  texts: ReadonlyMap<string, Buffer>,
  publish: () => Result,
): Result {
  return rewriting(channel, (frame) => withTexts(frame, texts), publish);
}

/** Changes the header frame that is sent meanwhile. */
function rewriting<Result>(
  channel: Channel,
  change: (frame: Buffer) => Buffer,
  publish: () => Result,
): Result {
  const { buffer } = wireOf(channel.connection).channels[numberOf(channel)] ?? {};
  if (!buffer) return publish();
  const { write } = buffer;
  buffer.write = (bytes) => write.call(buffer, withHeaderFrame(bytes, change));
  try {
    return publish();
  } finally {
    buffer.write = write;
  }
}

/** The same frames with a changed header frame, if that is among them. */
function withHeaderFrame(frames: Buffer, change: (frame: Buffer) => Buffer): Buffer {
  for (let at = 0; at + frameOverhead <= frames.length; at += frames.readUInt32BE(at + 3) + frameOverhead) {
    if (frames[at] !== headerFrame) continue;
    const end = at + frames.readUInt32BE(at + 3) + frameOverhead;
    return Buffer.concat([frames.subarray(0, at), change(frames.subarray(at, end)), frames.subarray(end)]);
  }
  return frames;
}

/** A header frame with the table in place of the empty one. */
function withTable(frame: Buffer, table: Buffer): Buffer {
  const at = tableOffset(frame);
  const spliced = Buffer.concat([frame.subarray(0, at), table, frame.subarray(at + 4)]);
  spliced.writeUInt32BE(frame.readUInt32BE(3) + table.length - 4, 3);
  return spliced;
}

const isComplete = (bytes: Buffer): boolean =>
  bytes.length >= frameOverhead && bytes.length >= bytes.readUInt32BE(3) + frameOverhead;

/** Content type and encoding are the only properties in front of the headers; both are short texts. */
function tableOffset(frame: Buffer): number {
  const present = frame.readUInt16BE(flagsAt);
  let at = propertiesAt;
  for (const flag of [flags.contentType, flags.contentEncoding]) {
    if (present & flag) at += 1 + frame.readUInt8(at);
  }
  return at;
}

const wireOf = (connection: unknown): Wire => connection as Wire;
const numberOf = (channel: Channel): number => (channel as unknown as { ch: number }).ch;
