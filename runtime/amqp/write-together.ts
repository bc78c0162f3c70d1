import type { ChannelModel } from 'amqplib';

/** The part of amqplib's connection that writes what the channels have buffered; its types leave it out. */
interface Wire {
  muxer: {
    out: { cork(): void; uncork(): void };
    _readIncoming(): void;
  };
}

/**
 * Writes the frames of one turn of the event loop together. amqplib writes each frame by itself, and a system call takes longer
 * than anything else that is done for a message.
 */
export function writeTogether(model: ChannelModel): void {
  const { muxer } = model.connection as unknown as Wire;
  const write = muxer._readIncoming.bind(muxer);
  muxer._readIncoming = () => {
    muxer.out.cork();
    try {
      write();
    } finally {
      muxer.out.uncork();
    }
  };
}
