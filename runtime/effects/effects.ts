import type { PublisherLike } from '../amqp/publisher.ts';
import { defaultLog, type Log } from '../base/log.ts';
import { checkNumbers } from '../base/numbers.ts';
import type { EffectsDatabase } from './database.ts';
import { type Identified, Inbox, type OnceEachOptions, type OnceOptions } from './inbox.ts';
import { type LeaseOptions, leased } from './lease.ts';
import { type EffectContext, Outbox } from './outbox.ts';

export interface EffectsOptions<Tx> {
  database: EffectsDatabase<Tx>;
  /** Publishes the messages of the outbox. Without it, `publish` and `relay` throw WarrenError ERR_CONFIG. */
  publisher?: PublisherLike | undefined;
  /** Default: warnings and errors on stderr. */
  log?: Log | undefined;
}

/**
 * Effects that happen once although messages are delivered at least once. The tables have to exist (`effectsTables`).
 */
export class Effects<Tx> {
  readonly #database: EffectsDatabase<Tx>;
  readonly #outbox: Outbox;
  readonly #inbox: Inbox<Tx>;

  constructor({ database, publisher, log = defaultLog() }: EffectsOptions<Tx>) {
    this.#database = database;
    this.#outbox = new Outbox({ run: database.run, publisher, log });
    this.#inbox = new Inbox(database, this.#outbox);
  }

  /**
   * Has an effect in the user's database once for a message: the effect and the note that it happened commit in one transaction.
   * A second delivery, also at the same moment, waits for the first and then does nothing. A message without an id needs a `key`.
   *
   * @param work the effect, in the transaction `tx.db`. Messages of `tx.publish` are sent if the transaction commits.
   * @returns the result of `work`, or `done: 'before'` if the effect has happened before.
   * @throws RejectedError if the message has neither id nor key; the errors of `work` and of the database, after a rollback.
   */
  once<Result>(
    message: Identified,
    work: (tx: EffectContext<Tx>) => Promise<Result>,
    options?: OnceOptions,
  ): Promise<{ done: 'now'; result: Result } | { done: 'before' }> {
    return this.#inbox.once(message, work, options);
  }

  /**
   * As `once` for the messages of a batch, in one transaction with one note for all of them. All are of one queue.
   *
   * @param work gets the messages whose effect has not happened before; it is not called if there are none.
   * @returns those messages.
   * @throws RejectedError if messages have neither id nor key: `onBatch` dead-letters these, and calls its handler again with the
   *   others; the errors of `work` and of the database, after a rollback.
   */
  onceEach<Message extends Identified>(
    messages: readonly Message[],
    work: (tx: EffectContext<Tx>, fresh: readonly Message[]) => Promise<unknown>,
    options?: OnceEachOptions<Message>,
  ): Promise<{ fresh: readonly Message[] }> {
    return this.#inbox.onceEach(messages, work, options);
  }

  /**
   * Runs work in a transaction whose messages are published after its commit, for a function that is not called for a message, such as
   * that of an HTTP route. The messages go to the vhost of the publisher.
   *
   * @returns the result of `work`.
   * @throws the errors of `work` and of the database, after a rollback.
   */
  transaction<Result>(work: (tx: EffectContext<Tx>) => Promise<Result>): Promise<Result> {
    return this.#outbox.transaction(this.#database, '', work);
  }

  /**
   * Has an effect outside of the database (a mail, a webhook, a payment) at most once at a time and once in all, by a lease on
   * its key. There is a window in which it happens twice: the process dies, or the database is unavailable for more than 40
   * seconds, after the effect and before it is recorded. Pass the key to the other side if it can recognize a repetition.
   *
   * @param key identifies the effect: the message's id and what is done with it.
   * @param work has the effect. Its signal aborts when the time is over.
   * @throws LeasedError (an unavailable dependency) if another delivery is at it; the errors of `work` and of the database.
   */
  leased(
    key: string,
    work: (signal: AbortSignal) => Promise<unknown>,
    options?: LeaseOptions,
  ): Promise<{ done: 'now' | 'before' }> {
    return leased(this.#database.run, key, work, options);
  }

  /**
   * Publishes messages that stayed in the outbox because their process died or the broker was unavailable. For a scheduled
   * function; several may run at the same time. A message that fails again is tried again after 1 s, 2 s, ... 10 minutes, and lets
   * others pass; while the broker is unavailable, each run tries all messages.
   *
   * @param options.limit number of messages at most, default 100.
   * @returns the number of messages that the broker confirmed, and of those that failed.
   * @throws WarrenError ERR_CONFIG if `limit` is wrong.
   */
  async relay({ limit = 100 }: { limit?: number } = {}): Promise<{ sent: number; failed: number }> {
    checkNumbers({ limit }, { limit: { least: 1, whole: true } });
    return this.#outbox.relay(limit);
  }

  /**
   * Removes notes and leases of effects by age. A message that comes again after that, such as a replayed dead letter, has its
   * effect again.
   *
   * @param options.days age of the effect, default 30.
   * @returns the number of removed rows.
   * @throws WarrenError ERR_CONFIG if `days` is wrong.
   */
  async cleanUp({ days = 30 }: { days?: number } = {}): Promise<{ removed: number }> {
    checkNumbers({ days }, { days: { least: 0 } });
    const { run } = this.#database;
    // A part at a time, so that no statement takes long.
    let removed = 0;
    for (;;) {
      const inbox = await run`
        delete from warren_inbox where ctid in (
          select ctid from warren_inbox where done_at < now() - ${days} * interval '1 day' limit 1000
        ) returning 1 as one`;
      const leases = await run`
        delete from warren_leases where key in (
          select key from warren_leases where done_at < now() - ${days} * interval '1 day' limit 1000
        ) returning 1 as one`;
      removed += inbox.length + leases.length;
      if (inbox.length + leases.length === 0) return { removed };
    }
  }
}
