import type { Message } from 'amqplib';
import type { BrokerConnection } from '../amqp/connection.ts';
import { hasReplyCode } from '../amqp/reply-code.ts';
import { type DeadLetter, toDeadLetter } from './dead-letter.ts';
import { Deliveries } from './deliveries.ts';
import { type DeadLetterFilter, matcher } from './filter.ts';
import { fingerprintOf } from './fingerprint.ts';
import { IndexPass } from './index-pass.ts';
import type { QueueState } from './queue-state.ts';
import type { Ended } from './read-marks.ts';
import { connected, readRefused } from './visit.ts';

export interface Progress {
  /** Called after each entry of the index, and then after each dead letter. */
  (state: ProgressState): void;
  /** Called at the end if another command or consumer may hold dead letters that were not read. */
  held?(): void;
}

/**
 * `entries` is the number of entries of the index that were read. Otherwise, `read` of `total` dead letters were read, and
 * `matching` of these match the filter.
 */
export type ProgressState = { entries: number } | { read: number; total: number; matching: number };

/** What to do with a dead letter; `keep` leaves it in the queue. */
export type Fate = 'keep' | 'remove';

export interface Taking {
  filter: DeadLetterFilter;
  /** Offsets of entries of the index: only their dead letters match; default all. Several dead letters may have the same id. */
  only?: ReadonlySet<number> | undefined;
  /** Maximum number of dead letters to remove; default all. Kept ones do not count. */
  limit?: number | undefined;
  progress?: Progress | undefined;
  /** Called when a dead letter was handled, with the offset of its entry. */
  handled?: ((offset: number | undefined, fate: Fate) => void) | undefined;
  /** Ends the pass after the dead letters in flight. */
  signal?: AbortSignal | undefined;
  /** Maximum number of dead letters that are handled at the same time, default 100. */
  inFlight?: number | undefined;
  /** True if a dead letter is elsewhere before it is removed. At most `inFlight` are in both places, whatever is interrupted. */
  isCopied?: boolean | undefined;
  /** What removing a dead letter means, for its mark in the index. */
  ended?: Ended | undefined;
  /** Another queue of dead letters, with its index. */
  source?: { queue: string; pass: LetterPass } | undefined;
}

/** The index of a queue of dead letters during a pass over the queue. */
export type LetterPass = Pick<IndexPass, 'expected' | 'take' | 'mark' | 'close'>;

/** Dead letters that the broker sends ahead, for each that may be in flight. */
const sentAhead = 5;
/** Milliseconds in which the next dead letter proves that the queue has got the acknowledgements. */
const proofMs = 10;

/**
 * Passes each matching dead letter that exists at the start to `handle` once, up to `inFlight` at the same time, and acknowledges
 * it as soon as `handle` returns `remove`. After an error, those in flight are finished first. The index gets a mark for each that is
 * removed.
 *
 * @param handle its third argument is the offset of the entry that the index had when the pass began.
 */
export async function takeEach(
  url: string,
  taking: Taking,
  handle: (message: Message, letter: DeadLetter, offset: number | undefined) => Promise<Fate>,
): Promise<void> {
  const { filter, only, limit = Number.POSITIVE_INFINITY, progress, handled, signal, ended, source } = taking;
  const { inFlight: most = 100, isCopied } = taking;
  const index: LetterPass =
    source?.pass ??
    (await IndexPass.read(url, { filter, only, ended }, (entries) => progress?.({ entries })));
  let end: 'complete' | 'partial' | 'failed' = 'failed';
  const pass = async (
    connection: BrokerConnection,
    { messageCount: count, consumerCount }: QueueState,
  ): Promise<void> => {
    const expected = index.expected(count);
    const matches = matcher(filter);
    const failures: unknown[] = [];
    let [read, matching, inFlight, removed] = [0, 0, 0, 0];
    let changed: () => void = () => undefined;
    const change = () => new Promise<void>((resolve) => (changed = resolve));
    const deliveries = new Deliveries(connection, {
      prefetch: Math.max(1, Math.min(sentAhead * most, limit)),
      isOrdered: Number.isFinite(limit),
      queue: source?.queue,
      arrived: () => changed(),
    });
    const unproven = () => (isCopied ? deliveries.unproven : 0);
    // One that is kept makes room for another within the limit.
    const isFull = () => inFlight + unproven() >= most || (inFlight > 0 && removed + inFlight >= limit);
    const room = async () => {
      while (isFull()) {
        const before = unproven();
        const timer = inFlight === 0 ? setTimeout(() => changed(), proofMs) : undefined;
        await change();
        clearTimeout(timer);
        if (inFlight === 0 && isFull() && unproven() === before) await deliveries.prove();
      }
    };
    const failed = (error: Error): undefined => {
      failures.push(hasReplyCode(error.cause, 403) ? readRefused(error, source?.queue) : error);
    };
    while (read < count) {
      await room().catch(failed);
      if (removed >= limit || matching >= expected || failures.length > 0 || signal?.aborted) break;
      const delivery = await deliveries.next().catch(failed);
      if (!delivery) break;
      read += 1;
      const letter = toDeadLetter(delivery.message);
      const fingerprint = fingerprintOf(delivery.message);
      const offset = index.take(fingerprint);
      const isSelected = only === undefined || (offset !== undefined && only.has(offset));
      if (isSelected && matches(delivery.message, letter)) {
        matching += 1;
        inFlight += 1;
        void handle(delivery.message, letter, offset)
          .then((fate) => {
            delivery[fate]();
            handled?.(offset, fate);
            if (fate === 'keep') return;
            removed += 1;
            index.mark(fingerprint, offset);
          })
          .catch((error: unknown) => failures.push(error))
          .finally(() => {
            inFlight -= 1;
            changed();
          });
      } else delivery.keep();
      progress?.({ read, total: count, matching });
    }
    while (inFlight > 0) await change();
    await deliveries.close().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
    const isEarly = removed >= limit || matching >= expected || signal?.aborted === true;
    if (consumerCount > 0 || (read < count && !isEarly)) progress?.held?.();
    // Another consumer may hold the dead letters that were not found.
    end = read === count && consumerCount === 0 ? 'complete' : 'partial';
  };
  await connected(url, pass, source?.queue).finally(() => index.close(end));
}
