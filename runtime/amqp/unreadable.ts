import type { ChannelModel } from 'amqplib';

/** The content type for a message with unreadable properties. No handler accepts it. */
const unreadableType = 'application/vnd.warren.unreadable-properties';

/** The part of amqplib's connection that its types hide. */
interface FrameReader {
  /** Bytes that have arrived and are not read yet. */
  rest: Buffer;
  /** Returns the next frame, or false if it is incomplete. It calls itself when more bytes have arrived. */
  recvFrame(): unknown;
}

const [headerFrame, frameStart] = [2, 7];

/**
 * Keeps a connection open when headers are nested deeper than the stack allows. amqplib decodes them by recursion and ends the
 * connection if that fails. The message would return on the next connection, again and again, and block its queue. With this
 * function it is delivered without properties and with a content type of its own.
 *
 * @see AMQP 0-9-1, 2.3.5.2, for the frame with the properties of a message
 */
export function tolerateUnreadable(model: ChannelModel): void {
  const connection = model.connection as unknown as FrameReader;
  const read = connection.recvFrame.bind(connection);
  connection.recvFrame = () => {
    const frame = connection.rest;
    try {
      return read();
    } catch (error) {
      // amqplib decodes only complete frames, and removes a frame from `rest` before that.
      const decoded = connection.rest !== frame && frame.length > frameStart + 12;
      if (!(error instanceof RangeError) || !decoded || frame[0] !== headerFrame) throw error;
      return {
        channel: frame.readUInt16BE(1),
        id: frame.readUInt16BE(frameStart),
        size: Number(frame.readBigUInt64BE(frameStart + 4)),
        fields: { contentType: unreadableType, headers: {} },
      };
    }
  };
}
