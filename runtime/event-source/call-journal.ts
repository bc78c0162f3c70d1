import type { ConsumeMessage } from 'amqplib';

/** Calls whose channel closed and that the broker gave to another host stay in the journal until it is full. */
const maxEntries = 10_000;

/**
 * What this process knows about its calls. The broker marks a call as redelivered when its channel has closed, whether it was
 * begun or not; this process may know better.
 */
export class CallJournal {
  readonly #states = new Map<string, 'waiting' | 'begun'>();

  /** @returns undefined if this process does not know the call. */
  state(key: string | undefined): 'waiting' | 'begun' | undefined {
    return key === undefined ? undefined : this.#states.get(key);
  }

  note(key: string | undefined, state: 'waiting' | 'begun'): void {
    if (key === undefined) return;
    this.#states.set(key, state);
    if (this.#states.size <= maxEntries) return;
    const [oldest] = this.#states.keys();
    if (oldest !== undefined) this.#states.delete(oldest);
  }

  forget(key: string | undefined): void {
    if (key !== undefined) this.#states.delete(key);
  }
}

/**
 * The key of a call, from its caller's queue and the id that the caller expects with the reply; undefined without them, and the
 * call is then unknown.
 */
export function callKey({ properties }: ConsumeMessage): string | undefined {
  const { replyTo, correlationId } = properties;
  return replyTo && correlationId ? `${replyTo}\n${correlationId}` : undefined;
}
