import { RejectedError } from '../base/errors.ts';
import { RejectedMessagesError } from '../base/rejected-messages.ts';
import type { EffectsDatabase, Statement } from './database.ts';
import type { EffectContext, Outbox } from './outbox.ts';
import { storable } from './storable.ts';

/** The parts of a message by which the inbox recognizes it. */
export interface Identified {
  queue: string;
  vhost: string;
  messageId?: string | undefined;
}

export interface OnceOptions {
  /** Identifies the message, default its message id. Needed for messages without one. */
  key?: string | undefined;
  /** Who has the effect, default the queue with its vhost. Two effects of one message need two names. */
  consumer?: string | undefined;
}

export interface OnceEachOptions<Message> extends Omit<OnceOptions, 'key'> {
  /** Identifies a message, default by its message id. Needed for messages without one. */
  key?: ((message: Message) => string | undefined) | undefined;
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
    return this.#outbox.transaction(this.#database, message.vhost, async (tx, run) => {
      const fresh = await note(run, consumerOf(message, options), [keyOf(message, options)]);
      if (fresh.size === 0) return { done: 'before' } as const;
      return { done: 'now', result: await work(tx) } as const;
    });
  }

  /** As `Effects.onceEach`. */
  async onceEach<Message extends Identified>(
    messages: readonly Message[],
    work: (tx: EffectContext<Tx>, fresh: readonly Message[]) => Promise<unknown>,
    options: OnceEachOptions<Message> = {},
  ): Promise<{ fresh: readonly Message[] }> {
    const [first] = messages;
    if (!first) return { fresh: [] };
    const consumer = consumerOf(first, options);
    const identify = options.key ?? (({ messageId }: Message) => messageId);
    const keys = keysOf(messages, identify);
    return this.#outbox.transaction(this.#database, first.vhost, async (tx, run) => {
      const noted = await note(run, consumer, keys);
      // A message that the batch has twice is handled once.
      const fresh = messages.filter((_, index) => noted.delete(keys[index] ?? ''));
      if (fresh.length > 0) await work(tx, fresh);
      return { fresh };
    });
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
  if (isMissing(key)) throw new RejectedError(withoutId);
  return storable(key);
}

/** @throws RejectedMessagesError for the messages without a key, so that they do not harm the others of their batch. */
function keysOf<Message>(
  messages: readonly Message[],
  identify: (message: Message) => string | undefined,
): string[] {
  const keys = messages.map(identify);
  const unknown = messages.filter((_, at) => isMissing(keys[at]));
  if (unknown.length > 0) throw new RejectedMessagesError(withoutId, new Set(unknown));
  return keys.flatMap((key) => (isMissing(key) ? [] : [storable(key)]));
}

const isMissing = (key: string | undefined): key is undefined => key === undefined || key === '';
const withoutId = 'message_id: expected one, because effects happen once for an id, got none';

function consumerOf(
  { queue, vhost }: Identified,
  { consumer = `${queue}::${vhost}` }: Pick<OnceOptions, 'consumer'>,
): string {
  return storable(consumer);
}
