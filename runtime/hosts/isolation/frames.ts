import type { Socket } from 'node:net';

/** Bytes of the length in front of each message. */
const lengthBytes = 4;
/** Bytes that one read takes at most; the buffer is used again for each. */
export const readBytes = 65_536;

/**
 * Sends a value as JSON with its length in front. Node's own channel between processes takes several times the CPU time for a
 * small message (measured).
 */
export function sendFrame(socket: Socket, value: unknown): void {
  const text = JSON.stringify(value);
  const bytes = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(lengthBytes + bytes);
  frame.writeUInt32LE(bytes);
  frame.write(text, lengthBytes);
  socket.write(frame);
}

/**
 * Reads what `sendFrame` sends on the other side.
 *
 * @returns a promise that resolves when the stream has ended, by an error too.
 */
export function readFrames(socket: Socket, take: (value: unknown) => void): Promise<void> {
  const reader = new FrameReader(take);
  socket.on('data', (chunk: Buffer) => reader.push(chunk)).on('error', () => undefined);
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

/** Joins the chunks of a stream to the values that `sendFrame` has sent. */
export class FrameReader {
  readonly #take: (value: unknown) => void;
  /** The part of a message that has arrived, its length included. */
  #partial: Buffer | undefined;
  #filled = 0;

  /** @param take receives each value. */
  constructor(take: (value: unknown) => void) {
    this.#take = take;
  }

  /** @param chunk may be used again for the next one. */
  push(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#partial) {
        rest = this.#fill(rest);
        continue;
      }
      const size = rest.length < lengthBytes ? undefined : lengthBytes + rest.readUInt32LE();
      if (size !== undefined && rest.length >= size) {
        this.#take(JSON.parse(rest.toString('utf8', lengthBytes, size)));
        rest = rest.subarray(size);
      } else {
        this.#partial = Buffer.allocUnsafe(size ?? lengthBytes);
        this.#filled = 0;
      }
    }
  }

  /** Adds to the partial message. Returns what is left of the chunk. */
  #fill(chunk: Buffer): Buffer {
    const partial = this.#partial as Buffer;
    const copied = chunk.copy(partial, this.#filled);
    this.#filled += copied;
    if (this.#filled === partial.length) {
      const size = lengthBytes + partial.readUInt32LE();
      if (size > partial.length) {
        // Only the length was there.
        this.#partial = Buffer.allocUnsafe(size);
        partial.copy(this.#partial);
      } else {
        this.#partial = undefined;
        this.#filled = 0;
        this.#take(JSON.parse(partial.toString('utf8', lengthBytes)));
      }
    }
    return chunk.subarray(copied);
  }
}
