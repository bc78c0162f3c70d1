import type { ChannelModel } from 'amqplib';

/** The content type of a message whose properties could not be read: nobody takes it for one of theirs. */
const unreadableType = 'application/vnd.warren.unreadable-properties';

/** What of amqplib's connection its types leave out. */
interface FrameReader {
  /** What has come and is not read yet. */
  rest: Buffer;
  /** The next frame, false where it isn't there yet; it calls itself when more has come. */
  recvFrame(): unknown;
}

const [headerFrame, frameStart] = [2, 7];

/**
 * Lets a connection outlive headers that are nested deeper than the stack allows. amqplib decodes them by recursion, and takes
 * its failure for the connection's: the message would come back with the next connection, again and again, and hold up its
 * queue. It comes without properties instead, under a content type that says so.
 *
 * @see AMQP 0-9-1, 2.3.5.2, for the frame that holds a message's properties
 */
export function tolerateUnreadable(model: ChannelModel): void {
  const connection = model.connection as unknown as FrameReader;
  const read = connection.recvFrame.bind(connection);
  connection.recvFrame = () => {
    const frame = connection.rest;
    try {
      return read();
    } catch (error) {
      // Only a frame that was there as a whole has been decoded, and was taken off before that.
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
