import type { ChannelModel } from 'amqplib';

/** Bytes of a frame that is copied: below, a buffer of its own costs the socket more than the copy. */
const copied = 4096;

/** Where amqplib's connection writes its frames. */
interface Out {
  readonly writableLength: number;
  readonly writableHighWaterMark: number;
  write(chunk: Buffer): boolean;
  cork(): void;
  uncork(): void;
}

/** The part of amqplib's connection that writes what the channels have buffered; its types leave it out. */
interface Wire {
  muxer: { out: Pick<Out, 'write'>; _readIncoming(): void };
}

/**
 * Writes the frames of one turn of the event loop together, and small ones as one buffer. amqplib writes each frame by itself, and a
 * system call takes longer than anything else that is done for a message.
 */
export function writeTogether(model: ChannelModel): void {
  const { muxer } = model.connection as unknown as Wire;
  const write = muxer._readIncoming.bind(muxer);
  muxer._readIncoming = () => {
    const out = muxer.out as Out;
    const frames = new Frames(out);
    out.cork();
    muxer.out = frames;
    try {
      write();
    } finally {
      muxer.out = out;
      frames.flush();
      out.uncork();
    }
  };
}

/** Collects small frames in front of the socket, and accepts no more of them than it does. */
class Frames {
  readonly #out: Out;
  #small: Buffer[] = [];
  #bytes = 0;

  constructor(out: Out) {
    this.#out = out;
  }

  /** @returns whether the socket takes more; otherwise it emits `drain` when it does. */
  write(frame: Buffer): boolean {
    if (frame.length > copied) {
      this.flush();
      return this.#out.write(frame);
    }
    this.#small.push(frame);
    this.#bytes += frame.length;
    return this.#out.writableLength + this.#bytes < this.#out.writableHighWaterMark;
  }

  /** Writes those that were collected. */
  flush(): void {
    const [first] = this.#small;
    if (!first) return;
    this.#out.write(this.#small.length === 1 ? first : Buffer.concat(this.#small, this.#bytes));
    this.#small = [];
    this.#bytes = 0;
  }
}
