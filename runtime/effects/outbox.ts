import { randomUUID } from 'node:crypto';
import { encode, type OutgoingMessage } from '../amqp/outgoing.ts';
import type { PublisherLike } from '../amqp/publisher.ts';
import { allDone, WarrenError } from '../base/errors.ts';
import { parseJson, stringifyJson } from '../base/json.ts';
import type { Log } from '../base/log.ts';
import { withTrace } from '../base/trace.ts';
import type { Row, Statement } from './database.ts';

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

interface Stored {
  /** Of the row. Two messages may have one message id. */
  id: string;
  vhost: string;
  message: OutgoingMessage;
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

  /** Collects the messages of one transaction, for a vhost. */
  collect(vhost: string): Outgoing {
    const collected: Stored[] = [];
    return {
      add: (message) => {
        this.#publisher();
        const messageId = message.messageId ?? randomUUID();
        const headers = carried(message);
        collected.push({ id: randomUUID(), vhost, message: { ...message, messageId, headers } });
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
      stored.map(({ vhost, message }) => (publisher.inVhost?.(vhost) ?? publisher).publish(message)),
    );
    const confirmed = stored.filter((_, index) => results[index]?.status === 'fulfilled');
    const failures = stored.flatMap(({ id, message }, index) => {
      const result = results[index];
      return result?.status === 'rejected' ? [{ id, message, error: String(result.reason) }] : [];
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

/** Lets the next messages pass by those that failed. */
async function postpone(run: Statement, failures: readonly { id: string; error: string }[]): Promise<void> {
  if (failures.length === 0) return;
  await run`
    update warren_outbox set failures = failures + 1, error = rows.error,
      due_at = now() + least(${longestPauseMs}, 1000 * power(2, least(failures, 16))) * interval '1 millisecond'
    from jsonb_to_recordset(cast(${JSON.stringify(failures.map(({ id, error }) => ({ id, error })))} as jsonb))
      as rows (id text, error text)
    where warren_outbox.id = rows.id`;
}

/** The headers with the current trace, which the relay would not have. */
function carried({ headers }: OutgoingMessage): Record<string, unknown> | undefined {
  for (const [name, value] of Object.entries(headers ?? {})) {
    if (isJson(value)) continue;
    const expected = 'expected JSON values, because the outbox stores headers as JSON';
    throw new WarrenError('ERR_CONFIG', `headers.${name}: ${expected}, got ${nameOf(value)}`);
  }
  return withTrace(headers);
}

function isJson(value: unknown): boolean {
  if (Array.isArray(value)) return value.every(isJson);
  if (typeof value !== 'object' || value === null) return typeof value !== 'bigint';
  return Object.getPrototypeOf(value) === Object.prototype && Object.values(value).every(isJson);
}

const nameOf = (value: unknown) =>
  typeof value === 'object' ? (value?.constructor.name ?? 'null') : typeof value;

function toRow({ id, vhost, message }: Stored) {
  const { body: _, ...rest } = message;
  const contentType = message.contentType ?? (Buffer.isBuffer(message.body) ? undefined : 'application/json');
  // The timestamp is that of the effect.
  const timestamp = message.timestamp === undefined ? Math.floor(Date.now() / 1000) : message.timestamp;
  const properties = stringifyJson({ ...rest, contentType, timestamp, table: undefined });
  return { id, vhost, message: properties, body: encode(message).toString('base64') };
}

function fromRow({ id, vhost, message, body }: Row): Stored {
  const properties = parseJson(String(message)) as Omit<OutgoingMessage, 'body'>;
  return {
    id: String(id),
    vhost: String(vhost),
    message: { ...properties, body: Buffer.from(String(body), 'base64') },
  };
}
