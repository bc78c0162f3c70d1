import { createHash } from 'node:crypto';
import type { ConsumeMessage } from 'amqplib';
import { attemptsHeader, copyHeader } from '../amqp/headers.ts';
import type { OutgoingMessage } from '../amqp/outgoing.ts';
import type { ItemFailure } from '../messages/verdicts.ts';
import { confirmedUntil } from './confirmed.ts';

/** Copies that are remembered; a copy that was published twice arrives twice within seconds. */
const maxSettled = 10_000;
/** Unconfirmed copies that are remembered. */
const maxLeft = 1000;

/** The copy of a message that went back to the broker before the copy was confirmed. */
export interface LeftCopy {
  copy: OutgoingMessage;
  failure: ItemFailure;
  confirm: Promise<unknown>;
}

/** Deliveries whose message needs no call. */
export interface Known {
  known: Set<ConsumeMessage>;
  unconfirmed: Map<ConsumeMessage, LeftCopy>;
}

/**
 * The copies of failed messages that one consumer knows, so that a message that was copied twice runs once. Message ids are
 * not enough: other publishers choose them and may use one for several messages.
 */
export class KnownCopies {
  /** Identifiers of copies whose message is done, or was copied again. */
  readonly #settled = new Set<string>();
  /** Copies that were not confirmed when their original went back to the broker. */
  readonly #left = new Map<string, LeftCopy>();

  /** Whether none of these deliveries is one of `knownIn`: true for almost every batch. */
  hasNone(deliveries: readonly ConsumeMessage[]): boolean {
    for (const delivery of deliveries)
      if (copyIdOf(delivery) !== undefined || this.#mayBeLeft(delivery)) return false;
    return true;
  }

  /**
   * The deliveries of a batch whose message needs no call.
   *
   * @param ended aborted when waiting for a confirm is of no use.
   * @returns `known`: the same copy is settled or is in this batch before, or their own copy was confirmed after their message
   *   had gone back to the broker. `unconfirmed`: their own copy has to be published again.
   */
  async knownIn(deliveries: readonly ConsumeMessage[], ended: AbortSignal): Promise<Known> {
    const known = this.#repeatedIn(deliveries);
    const unconfirmed = new Map<ConsumeMessage, LeftCopy>();
    for (const delivery of deliveries) {
      const left = this.#take(delivery);
      if (!left) continue;
      const outcome = await confirmedUntil(left.confirm, ended, 0).catch(() => 'failed' as const);
      if (outcome === true) known.add(delivery);
      else if (outcome === false) this.leave(delivery, left);
      else unconfirmed.set(delivery, left);
    }
    return { known, unconfirmed };
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
    if (id === undefined) return;
    this.#settled.add(id);
    if (this.#settled.size > maxSettled) this.#settled.delete(first(this.#settled));
  }

  /**
   * Remembers the copy of a delivery that goes back to the broker.
   *
   * @param attempts as for `keyOf`.
   */
  leave(delivery: ConsumeMessage, left: LeftCopy, attempts?: unknown): void {
    this.#left.set(keyOf(delivery, attempts), left);
    if (this.#left.size > maxLeft) this.#left.delete(first(this.#left.keys()));
  }

  #mayBeLeft({ fields }: ConsumeMessage): boolean {
    return this.#left.size > 0 && fields.redelivered;
  }

  /** The copy of a delivery that came again; undefined if there is none. It can be taken once. */
  #take(delivery: ConsumeMessage): LeftCopy | undefined {
    if (!this.#mayBeLeft(delivery)) return undefined;
    const key = keyOf(delivery);
    const left = this.#left.get(key);
    this.#left.delete(key);
    return left;
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
