import { silentLog } from '../../base/log.ts';
import { workersQueue } from '../../topology/names.ts';
import { holdLimits } from '../ack-limit.ts';
import { compileFilter } from '../filter.ts';
import { heldBytes } from '../held-bytes.ts';
import { KeyLanes } from './key-lanes.ts';
import { LaneCalls } from './lane-calls.ts';
import type { OrderedPollerOptions } from './ordered-options.ts';
import { Partition, partitionBytes } from './partition.ts';
import type { PartitionConsumer } from './partition-consumer.ts';
import { Workers } from './workers.ts';

/** Milliseconds between two looks at the share of partitions. */
const shareMs = 500;

/**
 * Feeds one function from the partitions of a queue with `orderBy`. Messages of one key are called one after the other, and different
 * keys side by side: in one call, and in as many calls as the queue has `concurrency`. The workers divide the partitions among them.
 */
export class OrderedPoller {
  readonly #options: Required<OrderedPollerOptions>;
  readonly #lanes = new KeyLanes<PartitionConsumer>(() => this.#call());
  readonly #partitions: readonly Partition[];
  readonly #runner: LaneCalls;
  readonly #workers: Workers;
  #calls = 0;
  #sharing: NodeJS.Timeout | undefined;

  constructor(options: OrderedPollerOptions) {
    const { mapping, log = silentLog } = options;
    const { partitions } = mapping.order;
    const held = heldBytes(partitions, partitions);
    this.#options = { observer: {}, ...holdLimits, held, answerMs: 10_000, ...options, log };
    if (this.#options.held.waiting < partitionBytes) {
      const needed = { queue: mapping.queue, partitions, bytes: partitionBytes * partitions };
      log.warn(
        needed,
        'its messages may need more than a quarter of the memory: expected fewer partitions, or more memory',
      );
    }
    this.#workers = new Workers(options.connection, workersQueue(mapping.queue));
    const lanes = this.#lanes;
    this.#runner = new LaneCalls({ ...this.#options, lanes, ready: () => this.#call() });
    const own = {
      ...this.#options,
      lanes,
      matches: compileFilter(mapping.filterPatterns ?? []),
      received: () => this.#call(),
    };
    this.#partitions = Array.from({ length: partitions }, (_, index) => new Partition({ ...own, index }));
  }

  /** As `Poller.start`, for all partitions. */
  async start(): Promise<void> {
    await Promise.all(this.#partitions.map((partition) => partition.start()));
    this.#sharing = setInterval(() => void this.#share(), shareMs).unref();
  }

  /** Takes no more messages, and resolves when the calls in flight have ended and their messages are acknowledged. */
  async stop(): Promise<void> {
    clearInterval(this.#sharing);
    await this.#workers.leave();
    await Promise.all(this.#partitions.map((partition) => partition.stop()));
  }

  /** Makes calls while there are messages, up to `concurrency`. */
  #call(): void {
    const { batchSize, concurrency = 1 } = this.#options.mapping;
    while (this.#calls < concurrency) {
      const taken = this.#lanes.take({ size: batchSize, bytes: this.#options.held.event });
      if (taken.length === 0) return;
      this.#calls += 1;
      void this.#runner.run(taken).finally(() => {
        this.#calls -= 1;
        this.#call();
      });
    }
  }

  /**
   * Hands over partitions beyond the share of this worker, because the broker gives all of them to the worker that came first. It
   * also hands over a partition whose oldest message is about to exceed the limit for acknowledgements.
   */
  async #share(): Promise<void> {
    const { callWithinMs } = this.#options;
    const active = this.#partitions.filter(({ isActive }) => isActive);
    for (const partition of active) if (partition.heldMs > callWithinMs) await partition.leave();
    // A broker that is unavailable ends the subscriptions as well.
    const workers = await this.#workers.count().catch(() => 1);
    const share = Math.ceil(this.#partitions.length / Math.max(1, workers));
    // A key that waits for its retry would be tried too early by the next worker.
    const [waiting, free] = [true, false].map((is) => active.filter(({ isWaiting }) => isWaiting === is));
    const surplus = [...(waiting ?? []), ...(free ?? [])].slice(share);
    for (const partition of surplus) await partition.leave();
  }
}
