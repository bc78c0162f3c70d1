import { createHash } from 'node:crypto';
import type { ConsumeMessage } from 'amqplib';
import { attemptsHeader, copyHeader } from '../amqp/headers.ts';
import { confirmedUntil } from './confirmed.ts';

/** Copies that are remembered; a copy that was published twice arrives twice within seconds. */
const maxSettled = 10_000;
/** Unconfirmed copies that are remembered. */
const maxOutstanding = 1000;

/**
 * The copies of failed messages that one consumer knows, so that a message that was copied twice runs once. Message ids are
 * not enough: other publishers choose them and may use one for several messages.
 */
export class KnownCopies {
  /** Identifiers of copies whose message is done, or was copied again. */
  readonly #settled = new Set<string>();
  /** Copies whose confirm was late when their original went back to the broker. */
  readonly #outstanding = new Map<string, Promise<unknown>>();

  /**
   * The deliveries of a batch whose message needs no call: the same copy is settled or is in this batch before, or their copy
   * was confirmed after their message had gone back to the broker.
   *
   * @param ended aborted when waiting for such a confirm is of no use.
   */
  async knownIn(deliveries: readonly ConsumeMessage[], ended: AbortSignal): Promise<Set<ConsumeMessage>> {
    const known = this.#repeatedIn(deliveries);
    for (const delivery of deliveries) {
      const confirm = this.#take(delivery);
      if (!confirm) continue;
      const outcome = await confirmedUntil(confirm, ended, 0).catch(() => 'failed' as const);
      if (outcome === true) known.add(delivery);
      if (outcome === false) this.await(delivery, confirm);
    }
    return known;
  }

  #repeatedIn(deliveries: readonly ConsumeMessage[]): Set<ConsumeMessage> {
    const seen = new Set<string>();
    return new Set(
      deliveries.filter((delivery) => {
        const id = copyIdOf(delivery);
        if (id === undefined) return false;
        const isRepeated = this.#settled.has(id) || seen.has(id);
        seen.add(id);
        return isRepeated;
      }),
    );
  }

  /** Remembers that a delivery is done, or was copied again. */
  settle(delivery: ConsumeMessage): void {
    const id = copyIdOf(delivery);
    if (id !== undefined) this.#settled.add(id);
    if (this.#settled.size > maxSettled) this.#settled.delete(first(this.#settled));
  }

  /** Remembers a copy that may still be confirmed, while the broker delivers its original again. */
  await(delivery: ConsumeMessage, confirm: Promise<unknown>): void {
    this.#outstanding.set(keyOf(delivery), confirm);
    if (this.#outstanding.size > maxOutstanding) this.#outstanding.delete(first(this.#outstanding.keys()));
  }

  /** The confirm of the copy of a delivery that came again; undefined if there is none. It can be taken once. */
  #take(delivery: ConsumeMessage): Promise<unknown> | undefined {
    if (this.#outstanding.size === 0 || !delivery.fields.redelivered) return undefined;
    const key = keyOf(delivery);
    const confirm = this.#outstanding.get(key);
    this.#outstanding.delete(key);
    return confirm;
  }
}

function copyIdOf({ properties }: ConsumeMessage): string | undefined {
  const id: unknown = properties.headers?.[copyHeader];
  return typeof id === 'string' ? id : undefined;
}

/**
 * Identifies a message, its copy and its attempt.
 *
 * @param attempts failed deliveries so far, default those in its headers.
 */
export function keyOf(
  { content, properties: { messageId, headers } }: ConsumeMessage,
  attempts: unknown = headers?.[attemptsHeader],
): string {
  const known = JSON.stringify([messageId, attempts, headers?.[copyHeader]]);
  return createHash('sha256').update(known).update(content).digest('base64');
}

function first<T>(items: Iterable<T>): T {
  const [item] = items;
  return item as T;
}
