import { randomUUID } from 'node:crypto';
import { timed } from '../amqp/delay.ts';
import type { OutgoingMessage } from '../amqp/outgoing.ts';
import type { PublisherLike } from '../amqp/publisher.ts';
import { contentHeaders, endTime } from '../amqp/way-headers.ts';
import { allDone, WarrenError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { isUnavailable } from '../base/unavailable.ts';
import type { EffectsDatabase, Statement } from './database.ts';
import { carried, fromRow, type Stored, toRow } from './stored.ts';

/** Milliseconds for which a message is left to the process that stored it: longer than a publisher tries. */
const ownMs = 15_000;
/** Milliseconds for which a relay has a message for itself. */
const leaseMs = 60_000;
/** Limit of the pause between two tries of the relay in milliseconds. */
const longestPauseMs = 600_000;

interface Parts {
  run: Statement;
  publisher: PublisherLike | undefined;
  log: Log;
}

/** What an effect works with. */
export interface EffectContext<Tx> {
  /** The transaction in which the effect, its messages and the note of its message commit together. */
  db: Tx;
  /**
   * Stores a message in the transaction. It is published after the commit, and again by the relay if the process dies before it
   * was confirmed, always with the same message id. Its headers hold JSON values only.
   *
   * @returns the message id.
   * @throws WarrenError ERR_CONFIG if a header holds bytes or another value that JSON does not have, or for a wrong delay or
   *   `expiresAt`.
   */
  publish(message: OutgoingMessage): string;
}

/** The messages of one transaction. */
interface Outgoing {
  add(message: OutgoingMessage): string;
  /** Stores them in the transaction. */
  store(run: Statement): Promise<void>;
  /** Publishes them after the commit. The relay has those that cannot be published now, so this never rejects. */
  send(): Promise<void>;
}

/** Messages that are stored in a transaction and published after its commit. */
export class Outbox {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Runs work in a transaction, and publishes its messages after the commit, in a vhost; '' is that of the publisher's URL. */
  async transaction<Tx, Result>(
    database: EffectsDatabase<Tx>,
    vhost: string,
    work: (tx: EffectContext<Tx>, run: Statement) => Promise<Result>,
  ): Promise<Result> {
    const outgoing = this.#collect(vhost);
    const result = await database.transaction(async (db, run) => {
      const value = await work({ db, publish: outgoing.add }, run);
      await outgoing.store(run);
      return value;
    });
    await outgoing.send();
    return result;
  }

  #collect(vhost: string): Outgoing {
    const collected: Stored[] = [];
    return {
      add: (given) => {
        this.#publisher();
        const message = timed(given);
        const messageId = message.messageId ?? randomUUID();
        const headers = carried({
          ...message,
          headers: message.headers && contentHeaders(message.headers, message.body),
        });
        const expiresAt = endTime(message);
        collected.push({ id: randomUUID(), vhost, message: { ...message, messageId, headers, expiresAt } });
        return messageId;
      },
      store: async (run) => {
        if (collected.length === 0) return;
        await run`
          insert into warren_outbox (id, vhost, message, body, due_at)
          select id, vhost, message, body, now() + ${ownMs} * interval '1 millisecond'
          from jsonb_to_recordset(cast(${JSON.stringify(collected.map(toRow))} as jsonb))
            as rows (id text, vhost text, message text, body text)`;
      },
      send: async () => {
        if (collected.length > 0) await this.#send(collected);
      },
    };
  }

  /** As `Effects.relay`. */
  async relay(limit: number): Promise<{ sent: number; failed: number }> {
    this.#publisher();
    const rows = await this.#parts.run`
      update warren_outbox set due_at = now() + ${leaseMs} * interval '1 millisecond'
      where id in (
        select id from warren_outbox where due_at <= now() order by due_at limit ${limit} for update skip locked
      )
      returning id, vhost, message, body`;
    const failed = await this.#send(rows.map(fromRow));
    return { sent: rows.length - failed, failed };
  }

  #publisher(): PublisherLike {
    const { publisher } = this.#parts;
    if (publisher) return publisher;
    throw new WarrenError('ERR_CONFIG', 'publisher: expected one for the messages of the outbox, got none');
  }

  /** Publishes messages, and removes those that the broker confirmed. @returns the number of the others. */
  async #send(stored: readonly Stored[]): Promise<number> {
    const { run, log } = this.#parts;
    const publisher = this.#publisher();
    const results = await Promise.allSettled(
      stored.map(({ vhost, message }) =>
        ((vhost !== '' && publisher.inVhost?.(vhost)) || publisher).publish(message),
      ),
    );
    const confirmed = stored.filter((_, index) => results[index]?.status === 'fulfilled');
    const failures = stored.flatMap(({ id, message }, index) => {
      const result = results[index];
      if (result?.status !== 'rejected') return [];
      // That the broker is unavailable is not the message's failure.
      const failures = isUnavailable(result.reason) ? 0 : 1;
      return [{ id, message, error: String(result.reason), failures }];
    });
    for (const { message, error } of failures) {
      const { exchange, routingKey } = message;
      log.warn({ messageId: message.messageId, exchange, routingKey, error }, 'message stays in the outbox');
    }
    await allDone([remove(run, confirmed), postpone(run, failures)]).catch((error: unknown) => {
      // They are published once more, with the same message ids.
      log.warn({ error: String(error) }, 'published messages stay in the outbox');
    });
    return failures.length;
  }
}

async function remove(run: Statement, confirmed: readonly Stored[]): Promise<void> {
  if (confirmed.length === 0) return;
  const ids = JSON.stringify(confirmed.map(({ id }) => id));
  await run`delete from warren_outbox where id in (select jsonb_array_elements_text(cast(${ids} as jsonb)))`;
}

interface Failure {
  id: string;
  error: string;
  /** 0 or 1. */
  failures: number;
}

/** Lets the next messages pass by those that failed. */
async function postpone(run: Statement, failures: readonly Failure[]): Promise<void> {
  if (failures.length === 0) return;
  const rows = failures.map(({ id, error, failures }) => ({ id, error, failures }));
  await run`
    update warren_outbox set failures = warren_outbox.failures + rows.failures, error = rows.error, due_at = now()
      + least(${longestPauseMs}, 1000 * power(2, rows.failures * least(warren_outbox.failures, 16)))
        * interval '1 millisecond'
    from jsonb_to_recordset(cast(${JSON.stringify(rows)} as jsonb)) as rows (id text, error text, failures integer)
    where warren_outbox.id = rows.id`;
}
