import type { ConsumeMessage } from 'amqplib';
import {
  attemptsHeader,
  errorHeader,
  faultsHeader,
  firstFailedAtHeader,
  lastFailedAtHeader,
} from '../../amqp/headers.ts';
import type { PublisherLike } from '../../amqp/publisher.ts';
import { RejectedError } from '../../base/errors.ts';
import { recordFailure } from '../../messages/failure-events.ts';
import { failureOf } from '../../messages/plain-failures.ts';
import { countOf } from '../../messages/received.ts';
import type { ItemFailure } from '../../messages/verdicts.ts';
import { type CallOptions, callFunction, type Outage } from '../call.ts';
import { publishCopy } from '../copy.ts';
import { hasExpired } from '../expiring.ts';
import { KnownCopies } from '../known-copies.ts';
import { refusalOf } from '../oversized.ts';
import type { Held, KeyLanes } from './key-lanes.ts';
import type { PartitionConsumer } from './partition-consumer.ts';

export interface LaneCallOptions extends CallOptions {
  /** Publishes dead letters. */
  publisher: PublisherLike;
  lanes: KeyLanes<PartitionConsumer>;
  /** Called when a key may continue after its call. */
  ready: () => void;
}

type Own = Held<PartitionConsumer>;

/** Milliseconds before a message whose call did not reach the function is called again. */
const unreachedMs = 1000;

/**
 * Calls the function with messages of different keys, and settles each. A message that is retried stays in hand, and its key waits for
 * it; a dead letter does not hold up its key.
 */
export class LaneCalls {
  readonly #options: LaneCallOptions;
  readonly #outage: Outage = { tries: 0 };
  readonly #copies = new KnownCopies();
  /** Messages that had their first call. */
  readonly #called = new WeakSet<ConsumeMessage>();

  constructor(options: LaneCallOptions) {
    this.#options = options;
  }

  /** Calls the function with messages that were taken, and settles them. It never throws. */
  async run(taken: readonly Own[]): Promise<void> {
    const sources = taken.map(({ source }) => source);
    for (const source of sources) source.begin();
    try {
      await this.#run(taken);
    } finally {
      for (const source of sources) source.end();
    }
  }

  async #run(taken: readonly Own[]): Promise<void> {
    const batch = taken.filter((held) => {
      if (!hasExpired(held.delivery)) return true;
      this.#done(held);
      return false;
    });
    const [first] = batch;
    if (!first) return;
    const { mapping, observer } = this.#options;
    const refusal = batch.length === 1 ? refusalOf(mapping, first.delivery, first.bytes) : undefined;
    if (refusal !== undefined) {
      observer.setAside?.(mapping);
      this.#settle(first, failureOf(mapping, first.delivery, new RejectedError(refusal)));
      return;
    }
    this.#noteTaken(batch);
    const { outcome, failures, error } = await callFunction(
      this.#options,
      {
        deliveries: batch.map(({ delivery }) => delivery),
        bytes: batch.reduce((sum, { bytes }) => sum + bytes, 0),
        since: Math.min(...batch.map(({ since }) => since)),
      },
      { outage: this.#outage, isProbe: true, ended: endOf(batch) },
    );
    if (outcome === 'done') {
      for (const [index, held] of batch.entries()) this.#settle(held, failures.get(index));
    } else if (outcome === 'failed' && batch.length === 1) {
      this.#settle(first, failureOf(mapping, first.delivery, error));
    } else {
      // Each is called alone, so that only the guilty one fails.
      const ms = outcome === 'kept' ? unreachedMs : 0;
      for (const held of batch) {
        held.alone ||= outcome === 'failed';
        this.#again(held, ms);
      }
    }
  }

  #noteTaken(batch: readonly Own[]): void {
    const { observer, mapping } = this.#options;
    const fresh = batch.map(({ delivery }) => delivery).filter((delivery) => !this.#called.has(delivery));
    for (const delivery of fresh) this.#called.add(delivery);
    if (fresh.length > 0) observer.taken?.(mapping, fresh);
  }

  #settle(held: Own, failure: ItemFailure | undefined): void {
    if (!failure) {
      this.#done(held);
      return;
    }
    const { verdict } = failure;
    if (verdict.to === 'dead-letters') {
      void this.#deadLetter(held, failure);
      return;
    }
    noteFailure(held.delivery, failure);
    recordFailure(this.#options.mapping.queue, verdict);
    held.alone = true;
    this.#again(held, verdict.seconds * 1000);
  }

  async #deadLetter(held: Own, failure: ItemFailure): Promise<void> {
    const { source, delivery, since } = held;
    const { subscription } = source;
    const { lanes, ready } = this.#options;
    const options = { ...this.#options, copies: this.#copies };
    source.begin();
    const copied = await publishCopy(options, subscription, { delivery, failure, since }, subscription.ended);
    if (copied === 'copied') this.#done(held);
    else {
      // It goes back, and comes again before those behind it.
      await source.leave();
      lanes.done(held);
    }
    source.end();
    ready();
  }

  #done(held: Own): void {
    held.source.acknowledge(held);
    this.#options.lanes.done(held);
  }

  /** Its key waits. A message that goes back holds up nothing here. */
  #again(held: Own, ms: number): void {
    const { lanes } = this.#options;
    if (held.source.hasLeft) lanes.done(held);
    else lanes.delay(held, ms);
  }
}

/** Adds to a message in hand what a copy of it would carry, so that its next call counts its failures. */
function noteFailure({ properties }: ConsumeMessage, { error, fault }: ItemFailure): void {
  const headers: Record<string, unknown> = properties.headers ?? {};
  properties.headers = headers;
  const now = new Date().toISOString();
  headers[attemptsHeader] = countOf(headers[attemptsHeader]) + 1;
  headers[faultsHeader] = countOf(headers[faultsHeader]) + (fault ? 1 : 0);
  headers[firstFailedAtHeader] ??= now;
  headers[lastFailedAtHeader] = now;
  headers[errorHeader] = error;
}

/** Aborted when no further call may be made with one of these messages. */
function endOf(batch: readonly Own[]): AbortSignal {
  const [first, ...others] = new Set(batch.map(({ source }) => source.subscription.ended));
  return others.length === 0 ? (first as AbortSignal) : AbortSignal.any([first as AbortSignal, ...others]);
}
