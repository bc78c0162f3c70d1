import { randomUUID } from 'node:crypto';

/** Twelve digits of hexadecimal, as all numbers behind it that a process can reach. */
const first = 0x800000000000;

/**
 * Ids of requests, as Lambda's `awsRequestId`: UUIDs with a random beginning for each process, and a number that grows as their
 * last part. Random ones take longer than the rest of a call's context.
 */
export class RequestIds {
  readonly #beginning = randomUUID().slice(0, -first.toString(16).length);
  #next = first;

  next(): string {
    const id = this.#beginning + this.#next.toString(16);
    this.#next += 1;
    return id;
  }
}
