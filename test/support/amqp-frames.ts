/** Frames of AMQP 0-9-1 as bytes, also those that no broker would send. */

const integer = (size: 1 | 2 | 4, value: number): Buffer => {
  const bytes = Buffer.alloc(size);
  bytes.writeUIntBE(value, 0, size);
  return bytes;
};
const long = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
};

/** A frame: its type, channel, size, payload and end. */
export const frame = (type: number, channel: number, payload: Uint8Array): Buffer =>
  Buffer.concat([
    integer(1, type),
    integer(2, channel),
    integer(4, payload.length),
    payload,
    Buffer.of(0xce),
  ]);

/** A text or bytes of at most 255 bytes with its length. */
export const shortText = (text: string | Uint8Array): Buffer => {
  const bytes = Buffer.from(text as string).subarray(0, 255);
  return Buffer.concat([Buffer.of(bytes.length), bytes]);
};

/** Bytes with their length in four bytes. */
export const sized = (...parts: readonly Uint8Array[]): Buffer => {
  const bytes = Buffer.concat(parts);
  return Buffer.concat([integer(4, bytes.length), bytes]);
};

/** A frame with a method of these class and method numbers. */
export const method = (
  channel: number,
  ofClass: number,
  id: number,
  ...args: readonly Uint8Array[]
): Buffer => frame(1, channel, Buffer.concat([integer(2, ofClass), integer(2, id), ...args]));

export interface FramedMessage {
  channel: number;
  consumerTag: string;
  deliveryTag: bigint;
  redelivered: number;
  exchange: string | Uint8Array;
  routingKey: string | Uint8Array;
  /** The properties that it has on the wire, by their bits: 15 for the first. */
  properties: ReadonlyMap<number, Uint8Array>;
  body: Uint8Array;
  /** The longest body of a frame. */
  bodyLimit: number;
}

/** The frames in which a message is delivered. */
export function delivery(message: FramedMessage): Buffer[] {
  const { channel, consumerTag, deliveryTag, redelivered, exchange, routingKey } = message;
  const places = [shortText(exchange), shortText(routingKey)];
  const deliver = [shortText(consumerTag), long(deliveryTag), Buffer.of(redelivered), ...places];
  return [method(channel, 60, 60, ...deliver), ...content(message)];
}

/** The frames in which a message is returned. */
export function returned(message: FramedMessage): Buffer[] {
  const { channel, exchange, routingKey } = message;
  const reason = [integer(2, 312), shortText('NO_ROUTE'), shortText(exchange), shortText(routingKey)];
  return [method(channel, 60, 50, ...reason), ...content(message)];
}

function content({ channel, properties, body, bodyLimit }: FramedMessage): Buffer[] {
  const bits = [...properties.keys()].sort((one, other) => other - one);
  const flags = bits.reduce((all, bit) => all | (1 << bit), 0);
  const values = bits.map((bit) => properties.get(bit) ?? Buffer.alloc(0));
  const sizes = [integer(2, 60), integer(2, 0), long(BigInt(body.length))];
  const frames = [frame(2, channel, Buffer.concat([...sizes, integer(2, flags), ...values]))];
  for (let at = 0; at < body.length; at += bodyLimit)
    frames.push(frame(3, channel, body.subarray(at, at + bodyLimit)));
  return frames;
}
