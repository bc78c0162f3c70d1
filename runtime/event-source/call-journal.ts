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
  state(delivery: ConsumeMessage): 'waiting' | 'begun' | undefined {
    const key = keyOf(delivery);
    return key === undefined ? undefined : this.#states.get(key);
  }

  note(delivery: ConsumeMessage, state: 'waiting' | 'begun'): void {
    const key = keyOf(delivery);
    if (key === undefined) return;
    this.#states.set(key, state);
    if (this.#states.size <= maxEntries) return;
    const [oldest] = this.#states.keys();
    if (oldest !== undefined) this.#states.delete(oldest);
  }

  forget(delivery: ConsumeMessage): void {
    const key = keyOf(delivery);
    if (key !== undefined) this.#states.delete(key);
  }
}

/** A call is known by its caller's queue and the id that the caller expects with the reply; a call without them is unknown. */
function keyOf({ properties }: ConsumeMessage): string | undefined {
  const { replyTo, correlationId } = properties;
  return replyTo && correlationId ? `${replyTo}\n${correlationId}` : undefined;
}
