import type { Channel, Message } from 'amqplib';
import { lost } from './stream.ts';

/** The messages of a consumer that were not read yet. */
export class Arrivals {
  #messages: Message[] = [];
  #isLost = false;
  #wake: () => void = () => undefined;

  constructor(channel: Channel) {
    channel.once('close', () => this.add(null));
  }

  /** Whether the channel has closed, or the broker has ended the consumer. */
  get isLost(): boolean {
    return this.#isLost;
  }

  get areThere(): boolean {
    return this.#messages.length > 0;
  }

  /** @param message null if the broker has ended the consumer. */
  add(message: Message | null): void {
    if (message) this.#messages.push(message);
    else this.#isLost = true;
    this.#wake();
  }

  /** Returns the messages, which are not here afterward. */
  take(): Message[] {
    return this.#messages.splice(0);
  }

  /**
   * Waits for a message.
   *
   * @returns false if none arrives in time.
   * @throws UnavailableError if the connection is lost.
   */
  async within(ms: number): Promise<boolean> {
    if (!this.areThere && !this.#isLost) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    if (this.#isLost) throw lost();
    return this.areThere;
  }
}
