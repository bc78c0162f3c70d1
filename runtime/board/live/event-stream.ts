import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';

/** Milliseconds between two comments, which keep a proxy from ending a silent stream and find out that a client has gone. */
const beatMs = 15_000;
/** Longest time of a timer in milliseconds. */
const maxTimerMs = 2 ** 31 - 1;

/** Server-sent events (HTML Living Standard, 9.2) to one client. */
export class EventStream {
  readonly #stream: Readable;
  #canWrite = true;
  #hasEnded = false;

  /** Answers a request with a stream that stays open, at most until its user's token expires. */
  constructor(reply: FastifyReply) {
    this.#stream = new Readable({ read: () => (this.#canWrite = true) });
    // Proxies must not wait for the end of it.
    void reply.headers({ 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' }).send(this.#stream);
    // The headers of the answer leave with the first bytes.
    this.#stream.push(': open\n\n');
    const beat = setInterval(() => this.#write(':\n\n'), beatMs);
    const { until = Number.POSITIVE_INFINITY } = reply.request;
    const end = setTimeout(() => this.end(), Math.min(Math.max(0, until - Date.now()), maxTimerMs));
    this.onClose(() => {
      clearInterval(beat);
      clearTimeout(end);
    });
    // The client may have gone before it had an answer.
    if (reply.raw.destroyed) this.#stream.destroy();
  }

  /** @returns false if the client reads too slowly; the event is not sent then. */
  send(data: unknown): boolean {
    return this.#write(`data: ${JSON.stringify(data)}\n\n`);
  }

  /** Ends the stream. */
  end(): void {
    if (!this.#hasEnded) this.#stream.push(null);
    this.#hasEnded = true;
  }

  /** Calls the function when the client has gone, or the stream has ended. */
  onClose(closed: () => void): void {
    this.#stream.once('close', closed);
  }

  #write(text: string): boolean {
    if (!this.#canWrite || this.#hasEnded || this.#stream.destroyed) return false;
    this.#canWrite = this.#stream.push(text);
    return true;
  }
}
