import type { OutgoingMessage } from '../amqp/outgoing.ts';
import { RejectedError } from '../base/errors.ts';
import type { EffectsDatabase, Statement } from './database.ts';
import type { Outbox } from './outbox.ts';
import { storable } from './storable.ts';

/** The parts of a message by which the inbox recognizes it. */
export interface Identified {
  queue: string;
  vhost: string;
  messageId?: string | undefined;
}

/** What an effect works with. */
export interface EffectContext<Tx> {
  /** The transaction in which the effect and the note of the message commit together. */
  db: Tx;
  /**
   * Stores a message in the transaction. It is published after the commit, and again by the relay if the process dies before it
   * was confirmed, always with the same message id. Its headers hold JSON values only.
   *
   * @returns the message id.
   * @throws WarrenError ERR_CONFIG if a header holds bytes or another value that JSON does not have.
   */
  publish(message: OutgoingMessage): string;
}

export interface OnceOptions {
  /** Identifies the message, default its message id. Needed for messages without one. */
  key?: string | undefined;
  /** Who has the effect, default the queue with its vhost. Two effects of one message need two names. */
  consumer?: string | undefined;
}

/** Records the messages whose effect has happened. */
export class Inbox<Tx> {
  readonly #database: EffectsDatabase<Tx>;
  readonly #outbox: Outbox;

  constructor(database: EffectsDatabase<Tx>, outbox: Outbox) {
    this.#database = database;
    this.#outbox = outbox;
  }

  /** As `Effects.once`. */
  async once<Result>(
    message: Identified,
    work: (tx: EffectContext<Tx>) => Promise<Result>,
    options: OnceOptions = {},
  ): Promise<{ done: 'now'; result: Result } | { done: 'before' }> {
    const outgoing = this.#outbox.collect(message.vhost);
    const outcome = await this.#database.transaction(async (db, run) => {
      const fresh = await note(run, consumerOf(message, options), [keyOf(message, options)]);
      if (fresh.size === 0) return { done: 'before' } as const;
      const result = await work({ db, publish: outgoing.add });
      await outgoing.store(run);
      return { done: 'now', result } as const;
    });
    if (outcome.done === 'now') await outgoing.send();
    return outcome;
  }

  /** As `Effects.onceEach`. */
  async onceEach<Message extends Identified>(
    messages: readonly Message[],
    work: (tx: EffectContext<Tx>, fresh: readonly Message[]) => Promise<unknown>,
    options: Omit<OnceOptions, 'key'> = {},
  ): Promise<{ fresh: readonly Message[] }> {
    const [first] = messages;
    if (!first) return { fresh: [] };
    const consumer = consumerOf(first, options);
    const keys = messages.map((message) => keyOf(message, {}));
    const outgoing = this.#outbox.collect(first.vhost);
    const fresh = await this.#database.transaction(async (db, run) => {
      const noted = await note(run, consumer, keys);
      // A message that the batch has twice is handled once.
      const chosen = messages.filter((_, index) => noted.delete(keys[index] ?? ''));
      if (chosen.length > 0) await work({ db, publish: outgoing.add }, chosen);
      await outgoing.store(run);
      return chosen;
    });
    await outgoing.send();
    return { fresh };
  }
}

/**
 * Notes messages as done. A statement of another transaction with the same message waits until this transaction ends: if it
 * commits, the message is not fresh for the other.
 *
 * @returns the keys that were not noted before.
 */
async function note(run: Statement, consumer: string, keys: readonly string[]): Promise<Set<unknown>> {
  // Sorted, because two transactions that insert the same rows in different orders would end in a deadlock.
  const rows = await run`
    insert into warren_inbox (consumer, message)
    select ${consumer}, key from jsonb_array_elements_text(cast(${JSON.stringify(keys)} as jsonb)) as keys (key)
    order by key
    on conflict do nothing
    returning message`;
  return new Set(rows.map(({ message }) => message));
}

function keyOf({ messageId }: Identified, { key = messageId }: OnceOptions): string {
  if (key === undefined || key === '') {
    throw new RejectedError('message_id: expected one, because effects happen once for an id, got none');
  }
  return storable(key);
}

function consumerOf({ queue, vhost }: Identified, { consumer = `${queue}::${vhost}` }: OnceOptions): string {
  return storable(consumer);
}
