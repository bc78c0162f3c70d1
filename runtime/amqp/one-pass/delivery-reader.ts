import type { Cursor } from './field-reader.ts';
import { basic, bodyFrame, frameEnd, frameHead, frameOverhead, headerFrame, methodFrame } from './frames.ts';
import { uint16, uint32, uint64 } from './integers.ts';
import { KnownTexts } from './known-texts.ts';
import { PropertyReader, type WireProperties } from './property-reader.ts';

/** A delivery as amqplib hands it to a consumer. */
export interface WireMessage {
  fields: {
    consumerTag: string;
    deliveryTag: number;
    redelivered: boolean;
    exchange: string;
    routingKey: string;
  };
  properties: WireProperties;
  content: Buffer;
}

/** Class and method. */
const basicDeliver = 0x003c003c;
/** Bytes of a header frame's payload in front of the flags: class, weight, size of the body. */
const sizesBytes = 12;
const texts = new KnownTexts();

/**
 * Reads a delivery in one pass over the bytes that have arrived: its method, its header and its body, in frames that follow each
 * other. Anything else is left to amqplib: other frames, deliveries that are not complete, and those that are not as they should
 * be, so that it raises its error.
 *
 * @see AMQP 0-9-1, 2.3.5 and 4.2.6, for the frames
 */
export class DeliveryReader implements Cursor {
  bytes: Buffer = Buffer.alloc(0);
  at = 0;
  readonly properties = new PropertyReader();
  /** Where the header frame of the last delivery begins. */
  headerAt = 0;
  readonly #maxFrameSize: number;

  /** @param maxFrameSize limit for the payload of a frame in bytes, 0 for none. */
  constructor(maxFrameSize: number) {
    this.#maxFrameSize = maxFrameSize || Number.POSITIVE_INFINITY;
  }

  /** The channel of the delivery that begins here; undefined if there is none. */
  channelAt(begin: number): number | undefined {
    const { bytes } = this;
    if (bytes.length < begin + frameHead + 4 || bytes[begin] !== methodFrame) return undefined;
    return uint32(bytes, begin + frameHead) === basicDeliver ? uint16(bytes, begin + 1) : undefined;
  }

  /** Reads the delivery that begins here; afterwards `at` is behind it. Returns undefined if amqplib has to read it. */
  read(begin: number, channel: number): WireMessage | undefined {
    const { bytes } = this;
    const headerAt = this.#endOf(begin, methodFrame, channel);
    if (headerAt === 0) return undefined;
    const bodyAt = this.#endOf(headerAt, headerFrame, channel);
    const sizesAt = headerAt + frameHead;
    // The flags are behind the sizes.
    if (bodyAt === 0 || bodyAt - headerAt < frameOverhead + sizesBytes + 2) return undefined;
    if (uint16(bytes, sizesAt) !== basic || uint32(bytes, sizesAt + 4) !== 0) return undefined;
    const content = this.#body(bodyAt, channel, uint32(bytes, sizesAt + 8));
    if (content === undefined) return undefined;
    const end = this.at;
    this.at = begin + frameHead + 4;
    const fields = this.#fields(headerAt - 1);
    if (fields === undefined) return undefined;
    this.headerAt = headerAt;
    this.at = sizesAt + sizesBytes;
    const properties = this.properties.read(this, bodyAt - 1);
    if (properties === undefined) return undefined;
    this.at = end;
    return { fields, properties, content };
  }

  /** The end of a frame of this type and channel; 0 if it is another or not complete. */
  #endOf(begin: number, type: number, channel: number): number {
    const { bytes } = this;
    if (bytes.length < begin + frameOverhead || bytes[begin] !== type) return 0;
    const size = uint32(bytes, begin + 3);
    const end = begin + frameOverhead + size;
    const isWhole = end <= bytes.length && bytes[end - 1] === frameEnd && size <= this.#maxFrameSize;
    return isWhole && uint16(bytes, begin + 1) === channel ? end : 0;
  }

  /** The body, which begins here; afterwards `at` is behind it. */
  #body(begin: number, channel: number, size: number): Buffer | undefined {
    const { bytes } = this;
    this.at = begin;
    if (size === 0) return Buffer.alloc(0);
    if (bytes.length - begin < size) return undefined;
    const parts: Buffer[] = [];
    for (let read = 0; read < size; ) {
      const end = this.#endOf(this.at, bodyFrame, channel);
      if (end === 0) return undefined;
      const part = bytes.subarray(this.at + frameHead, end - 1);
      this.at = end;
      if (read === 0 && part.length === size) return part;
      read += part.length;
      if (read > size) return undefined;
      parts.push(part);
    }
    return Buffer.concat(parts);
  }

  /** The arguments of the method, which end here. */
  #fields(end: number): WireMessage['fields'] | undefined {
    const { bytes } = this;
    const consumerTag = this.#text();
    const deliveryTag = uint64(bytes, this.at);
    const redelivered = ((bytes[this.at + 8] as number) & 1) === 1;
    this.at += 9;
    const exchange = this.#text();
    const routingKey = this.#text();
    return this.at === end ? { consumerTag, deliveryTag, redelivered, exchange, routingKey } : undefined;
  }

  #text(): string {
    const { bytes, at } = this;
    this.at = at + 1 + (bytes[at] as number);
    return texts.read(bytes, at + 1, this.at);
  }
}
