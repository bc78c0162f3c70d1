import type { ServerResponse } from 'node:http';

/**
 * Limits the bytes of answers that their clients have not read yet. A client that reads slowly, or not at all, keeps its answer in
 * memory: beyond the limit, the connection whose answer has waited longest is closed, so that other clients are answered.
 */
export class UnreadAnswers {
  readonly #max: number;
  /** In the order in which they were sent. */
  readonly #open = new Map<ServerResponse, number>();
  #bytes = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /**
   * Takes note of an answer that is about to be sent.
   *
   * @returns the number of connections that were closed for it.
   */
  add(response: ServerResponse, bytes: number): number {
    // A client that has gone while its function worked: `close` does not come again.
    if (response.destroyed) return 0;
    this.#remove(response);
    this.#open.set(response, bytes);
    this.#bytes += bytes;
    response.once('close', () => this.#remove(response));
    let closed = 0;
    for (const oldest of this.#open.keys()) {
      if (this.#bytes <= this.#max || oldest === response) break;
      this.#remove(oldest);
      oldest.destroy();
      closed += 1;
    }
    return closed;
  }

  #remove(response: ServerResponse): void {
    this.#bytes -= this.#open.get(response) ?? 0;
    this.#open.delete(response);
  }
}
