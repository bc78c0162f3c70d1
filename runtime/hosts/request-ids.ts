import { randomUUID } from 'node:crypto';

/** Ids that differ in their last two digits alone. */
const groupSize = 256;
const lastDigits = Array.from({ length: groupSize }, (_, n) => n.toString(16).padStart(2, '0'));
/** Ten digits of hexadecimal, as all numbers behind it that a process can reach. */
const firstGroup = 0x8000000000;

/**
 * Ids of requests, as Lambda's `awsRequestId`: UUIDs with a random beginning for each process, and a number that grows as their
 * last part. Random ones take longer than the rest of a call's context, and so does writing the whole number for each.
 */
export class RequestIds {
  readonly #beginning = randomUUID().slice(0, -12);
  #group = firstGroup;
  #ofGroup = '';
  #next = groupSize;

  next(): string {
    if (this.#next === groupSize) {
      this.#next = 0;
      this.#ofGroup = this.#beginning + this.#group.toString(16);
      this.#group += 1;
    }
    const id = this.#ofGroup + lastDigits[this.#next];
    this.#next += 1;
    return id;
  }
}
