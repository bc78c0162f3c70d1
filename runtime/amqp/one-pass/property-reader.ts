import { type Cursor, readTable, unread } from './field-reader.ts';
import { uint16, uint32, uint64 } from './integers.ts';
import { KnownTexts } from './known-texts.ts';

/** Properties as amqplib decodes them: those that the message does not have are undefined. */
export interface WireProperties {
  contentType: string | undefined;
  contentEncoding: string | undefined;
  headers: Record<string, unknown> | undefined;
  deliveryMode: number | undefined;
  priority: number | undefined;
  correlationId: string | undefined;
  replyTo: string | undefined;
  expiration: string | undefined;
  messageId: string | undefined;
  timestamp: number | undefined;
  type: string | undefined;
  userId: string | undefined;
  appId: string | undefined;
  clusterId: string | undefined;
}

/** Texts that are mostly the same from message to message. */
const texts = new KnownTexts();

/**
 * Reads the basic properties of a message.
 *
 * @see AMQP 0-9-1, 1.8.3 and 4.2.6.1, for their order and their flags
 */
export class PropertyReader {
  /** Position of the field table of the last message, behind its length, and of its end. */
  tableFrom = 0;
  tableTo = 0;
  /** Whether a text of the last message may have lost bytes that are not UTF-8, or its timestamp digits. */
  isLossy = false;

  /**
   * @param cursor at the flags.
   * @param end of the frame's payload.
   * @returns undefined if amqplib has to read them. A text or an integer beyond the end leaves the cursor there.
   */
  read(cursor: Cursor, end: number): WireProperties | undefined {
    const { bytes } = cursor;
    const flags = uint16(bytes, cursor.at);
    // amqplib has another object for no properties at all.
    if (flags === 0) return undefined;
    cursor.at += 2;
    this.isLossy = false;
    // biome-ignore format: one line, as there is nothing to read
    const properties: WireProperties = { contentType: undefined, contentEncoding: undefined, headers: undefined, deliveryMode: undefined, priority: undefined, correlationId: undefined, replyTo: undefined, expiration: undefined, messageId: undefined, timestamp: undefined, type: undefined, userId: undefined, appId: undefined, clusterId: undefined };
    if (flags & 0x8000) properties.contentType = this.#known(cursor);
    if (flags & 0x4000) properties.contentEncoding = this.#known(cursor);
    if (flags & 0x2000) {
      this.tableFrom = cursor.at + 4;
      this.tableTo = this.tableFrom + uint32(bytes, cursor.at);
      // Also if the cursor is beyond the bytes, and the sum NaN.
      if (!(this.tableTo <= end)) return undefined;
      cursor.at = this.tableFrom;
      const table = readTable(cursor, this.tableTo);
      if (table === unread) return undefined;
      properties.headers = table;
    }
    if (flags & 0x1000) properties.deliveryMode = bytes[cursor.at++];
    if (flags & 0x0800) properties.priority = bytes[cursor.at++];
    if (flags & 0x0400) properties.correlationId = this.#text(cursor);
    if (flags & 0x0200) properties.replyTo = this.#known(cursor);
    if (flags & 0x0100) properties.expiration = this.#known(cursor);
    if (flags & 0x0080) properties.messageId = this.#text(cursor);
    if (flags & 0x0040) {
      properties.timestamp = uint64(bytes, cursor.at);
      if (!Number.isSafeInteger(properties.timestamp)) this.isLossy = true;
      cursor.at += 8;
    }
    if (flags & 0x0020) properties.type = this.#known(cursor);
    if (flags & 0x0010) properties.userId = this.#known(cursor);
    if (flags & 0x0008) properties.appId = this.#known(cursor);
    if (flags & 0x0004) properties.clusterId = this.#text(cursor);
    return cursor.at === end ? properties : undefined;
  }

  #text(cursor: Cursor): string {
    const { bytes, at } = cursor;
    cursor.at = at + 1 + (bytes[at] as number);
    return this.#checked(bytes.toString(undefined, at + 1, cursor.at));
  }

  #known(cursor: Cursor): string {
    const { bytes, at } = cursor;
    cursor.at = at + 1 + (bytes[at] as number);
    return this.#checked(texts.read(bytes, at + 1, cursor.at));
  }

  #checked(text: string): string {
    if (text.includes('\ufffd')) this.isLossy = true;
    return text;
  }
}
