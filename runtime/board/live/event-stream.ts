import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';

/** Server-sent events (HTML Living Standard, 9.2) to one client. */
export class EventStream {
  readonly #stream: Readable;
  #canWrite = true;

  /** Answers a request with a stream that stays open. */
  constructor(reply: FastifyReply) {
    this.#stream = new Readable({ read: () => (this.#canWrite = true) });
    // Proxies must not wait for the end of it.
    void reply.headers({ 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' }).send(this.#stream);
    // The headers of the answer leave with the first bytes.
    this.#stream.push(': open\n\n');
  }

  /** @returns false if the client reads too slowly; the event is not sent then. */
  send(data: unknown): boolean {
    if (!this.#canWrite || this.#stream.destroyed) return false;
    this.#canWrite = this.#stream.push(`data: ${JSON.stringify(data)}\n\n`);
    return true;
  }

  /** Ends the stream. */
  end(): void {
    if (!this.#stream.destroyed) this.#stream.push(null);
  }

  /** Calls the function when the client has gone, or the stream has ended. */
  onClose(closed: () => void): void {
    this.#stream.once('close', closed);
  }
}
