// Reads deliveries of AMQP 0-9-1 in one pass over the bytes that have arrived: a prototype to measure what amqplib's
// steps (a frame, its arguments, a state machine, an event) cost. What it does not read is left to amqplib.

import { amqplibPart } from './amqplib-part.mjs';
import { Known, Repeated } from './texts.mjs';

const { decodeFields } = amqplibPart('codec');
const [methodFrame, headerFrame, bodyFrame] = [1, 2, 3];
const frameEnd = 0xce;
const overhead = 8;
const basicDeliver = 0x003c003c;
const empty = Buffer.alloc(0);

const uint16 = (b, at) => (b[at] << 8) | b[at + 1];
const uint32 = (b, at) => b[at] * 0x1000000 + ((b[at + 1] << 16) | (b[at + 2] << 8) | b[at + 3]);
const uint64 = (b, at) => uint32(b, at) * 0x100000000 + uint32(b, at + 4);

const names = [
  'contentType',
  'contentEncoding',
  'headers',
  'deliveryMode',
  'priority',
  'correlationId',
  'replyTo',
  'expiration',
  'messageId',
  'timestamp',
  'type',
  'userId',
  'appId',
  'clusterId',
];

export function readInOnePass(model) {
  const { connection } = model;
  const read = connection.recvFrame.bind(connection);
  const { accept } = connection;
  const tags = new Repeated();
  const exchanges = new Repeated();
  const keys = new Repeated();
  const types = new Repeated();
  const kinds = new Repeated();
  const headerNames = new Known();

  function table(b, start, end) {
    const headers = {};
    let at = start;
    while (at < end) {
      const nameAt = at + 1;
      at = nameAt + b[at];
      const name = headerNames.read(b, nameAt, at);
      // Texts, of which nearly all headers consist; everything else is amqplib's.
      if (b[at] === 0x53) {
        const from = at + 5;
        at = from + uint32(b, at + 1);
        headers[name] = b.utf8Slice(from, at);
      } else return decodeFields(b.subarray(start, end));
    }
    return headers;
  }

  function properties(b, start) {
    const flags = uint16(b, start);
    const result = {
      contentType: undefined,
      contentEncoding: undefined,
      headers: undefined,
      deliveryMode: undefined,
      priority: undefined,
      correlationId: undefined,
      replyTo: undefined,
      expiration: undefined,
      messageId: undefined,
      timestamp: undefined,
      type: undefined,
      userId: undefined,
      appId: undefined,
      clusterId: undefined,
    };
    let at = start + 2;
    for (let bit = 15; bit >= 2; bit -= 1) {
      if ((flags & (1 << bit)) === 0) continue;
      const name = names[15 - bit];
      if (bit === 13) {
        const end = at + 4 + uint32(b, at);
        result.headers = table(b, at + 4, end);
        at = end;
      } else if (bit === 12 || bit === 11) {
        result[name] = b[at];
        at += 1;
      } else if (bit === 6) {
        result.timestamp = uint64(b, at);
        at += 8;
      } else {
        const from = at + 1;
        at = from + b[at];
        if (bit === 15) result.contentType = types.read(b, from, at);
        else if (bit === 5) result.type = kinds.read(b, from, at);
        else result[name] = b.utf8Slice(from, at);
      }
    }
    return result;
  }

  /** Hands out the delivery at the beginning of the bytes, and returns where it ends; -1 if it is not whole, or no delivery. */
  function delivery(b, begin) {
    const available = b.length;
    if (available - begin < 23 || b[begin] !== methodFrame || uint32(b, begin + 7) !== basicDeliver)
      return -1;
    const channelNumber = uint16(b, begin + 1);
    const channel = connection.channels[channelNumber]?.channel;
    if (channel?.handleMessage?.name !== 'acceptDeliveryOrReturn') return -1;
    const headerAt = begin + overhead + uint32(b, begin + 3);
    if (available < headerAt + 22 || b[headerAt] !== headerFrame) return -1;
    const size = uint64(b, headerAt + 11);
    let at = headerAt + overhead + uint32(b, headerAt + 3);
    if (available < at + size + overhead || b[at - 1] !== frameEnd) return -1;
    let content = empty;
    if (size > 0) {
      if (b[at] !== bodyFrame || uint32(b, at + 3) !== size) return -1;
      content = b.subarray(at + 7, at + 7 + size);
      at += overhead + size;
      if (b[at - 1] !== frameEnd) return -1;
    }
    let from = begin + 12 + b[begin + 11];
    const consumerTag = tags.read(b, begin + 12, from);
    const deliveryTag = uint64(b, from);
    const redelivered = (b[from + 8] & 1) === 1;
    let to = from + 10 + b[from + 9];
    const exchange = exchanges.read(b, from + 10, to);
    from = to + 1;
    to = from + b[to];
    const routingKey = keys.read(b, from, to);
    const fields = { consumerTag, deliveryTag, redelivered, exchange, routingKey };
    channel.dispatchMessage(fields, { fields, properties: properties(b, headerAt + 19), content });
    return at;
  }

  connection.recvFrame = () => {
    // A connection that closes accepts no more deliveries.
    if (connection.accept !== accept) return read();
    const bytes = connection.rest;
    let at = 0;
    for (let next = delivery(bytes, at); next !== -1; next = delivery(bytes, at)) at = next;
    if (at > 0) connection.rest = bytes.subarray(at);
    return read();
  };
}
