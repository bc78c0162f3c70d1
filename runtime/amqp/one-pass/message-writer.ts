import type { Options } from 'amqplib';
import { basic, bodyFrame, frameEnd, frameOverhead, headerFrame, methodFrame } from './frames.ts';
import { ValueWriter } from './value-writer.ts';

/** A message as `Channel.publish` of amqplib takes it. */
export interface Published {
  exchange: string;
  routingKey: string;
  content: Buffer;
  options: Options.Publish;
}

/** Class and method. */
const basicPublish = 0x003c0028;
/** The flag of each property of a message (AMQP 0-9-1, 1.8.3 and 4.2.6.1). */
const flag = {
  contentType: 0x8000,
  contentEncoding: 0x4000,
  headers: 0x2000,
  deliveryMode: 0x1000,
  priority: 0x0800,
  correlationId: 0x0400,
  replyTo: 0x0200,
  expiration: 0x0100,
  messageId: 0x0080,
  timestamp: 0x0040,
  type: 0x0020,
  userId: 0x0010,
  appId: 0x0008,
};
/** Bytes of a body that is copied into the buffer of its frames, at most. */
const maxCopied = 4096;

/**
 * Writes the frames of a message in one pass into one buffer: its method, its header and, unless it is long, its body. What it does
 * not know, such as a nested header or a text that is too long, is left to amqplib, which writes it or raises its error.
 *
 * @see AMQP 0-9-1, 2.3.5 and 4.2.6, for the frames
 */
export class MessageWriter {
  readonly #out = new ValueWriter();
  /** Whether the body of the last message is in its buffer. */
  hasBody = false;

  /** The frames for a channel; undefined if amqplib has to write them. */
  write(channel: number, { exchange, routingKey, content, options }: Published): Buffer | undefined {
    if (options.CC !== undefined || options.BCC !== undefined) return undefined;
    const out = this.#out;
    out.begin();
    out.uint8(methodFrame);
    out.uint16(channel);
    out.uint32(0);
    out.uint32(basicPublish);
    out.uint16(0);
    out.shortText(exchange);
    out.shortText(routingKey);
    out.uint8(options.mandatory ? 1 : 0);
    const headerAt = this.#endFrame(0);
    out.uint8(headerFrame);
    out.uint16(channel);
    out.uint32(0);
    out.uint16(basic);
    // The weight, and the upper half of the size.
    out.uint16(0);
    out.uint32(0);
    out.uint32(content.length);
    this.#properties(options);
    const bodyAt = this.#endFrame(headerAt);
    this.hasBody = content.length <= maxCopied;
    if (this.hasBody && content.length > 0) {
      out.uint8(bodyFrame);
      out.uint16(channel);
      out.uint32(0);
      out.bytes(content);
      this.#endFrame(bodyAt);
    }
    return out.end();
  }

  #endFrame(begin: number): number {
    const out = this.#out;
    out.uint8(frameEnd);
    out.uint32At(begin + 3, out.at - begin - frameOverhead);
    return out.at;
  }

  #properties(options: Options.Publish): void {
    const out = this.#out;
    const flagsAt = out.at;
    out.uint16(0);
    let flags = flag.headers;
    if (out.optional(options.contentType)) flags |= flag.contentType;
    if (out.optional(options.contentEncoding)) flags |= flag.contentEncoding;
    // amqplib writes a table in any case.
    out.table(options.headers ?? {});
    const mode = deliveryMode(options);
    if (mode !== undefined) {
      flags |= flag.deliveryMode;
      out.octet(mode);
    }
    if (options.priority !== undefined) {
      flags |= flag.priority;
      out.octet(options.priority);
    }
    if (out.optional(options.correlationId)) flags |= flag.correlationId;
    if (out.optional(options.replyTo)) flags |= flag.replyTo;
    const { expiration } = options;
    const milliseconds = typeof expiration === 'number' ? String(expiration) : expiration;
    if (out.optional(milliseconds)) flags |= flag.expiration;
    if (out.optional(options.messageId)) flags |= flag.messageId;
    if (options.timestamp !== undefined) {
      flags |= flag.timestamp;
      out.uint64(options.timestamp);
    }
    if (out.optional(options.type)) flags |= flag.type;
    if (out.optional(options.userId)) flags |= flag.userId;
    if (out.optional(options.appId)) flags |= flag.appId;
    out.uint16At(flagsAt, flags);
  }
}

/** As amqplib decides. */
function deliveryMode({ persistent, deliveryMode: mode }: Options.Publish): number | undefined {
  if (persistent !== undefined) return persistent ? 2 : 1;
  if (typeof mode === 'number') return mode;
  return mode ? 2 : undefined;
}
