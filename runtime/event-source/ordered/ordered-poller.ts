import { silentLog } from '../../base/log.ts';
import { parkedQueue, partitionQueue, workersQueue } from '../../topology/names.ts';
import { holdLimits } from '../ack-limit.ts';
import { pause } from '../backoff.ts';
import { compileFilter } from '../filter.ts';
import { heldBytes } from '../held-bytes.ts';
import { AsideWatch } from './aside-watch.ts';
import { CallPace } from './call-pace.ts';
import { KeyLanes, type Lanes } from './key-lanes.ts';
import { KeyShares } from './key-shares.ts';
import { LaneCalls } from './lane-calls.ts';
import type { OrderedPollerOptions } from './ordered-options.ts';
import { Partition } from './partition.ts';
import type { PartitionConsumer } from './partition-consumer.ts';
import { PartitionWindow, partitionBytes } from './partition-window.ts';
import { Workers } from './workers.ts';

/** Milliseconds between two looks at the share of partitions: while workers come and go, and for how long after that, and else. */
const [changingMs, changeMs, shareMs] = [100, 10_000, 500];
/** Milliseconds between two looks at what waits aside, which asks for every partition. */
const asideMs = 2000;

/**
 * Feeds one function from the partitions of a queue with `orderBy` or `perKey`. Messages of one key are called one after the other, or
 * within the limits of a key, and different keys side by side: in one call, and in as many calls as the queue has `concurrency`. The workers divide the partitions among them.
 */
export class OrderedPoller {
  readonly #options: Required<OrderedPollerOptions>;
  readonly #lanes: Lanes<PartitionConsumer>;
  readonly #partitions: readonly Partition[];
  readonly #runner: LaneCalls;
  readonly #workers: Workers;
  readonly #asides: AsideWatch | undefined;
  readonly #stopping = new AbortController();
  readonly #pace = new CallPace(() => this.#call());
  #forgetKeys: (() => void) | undefined;
  #calls = 0;
  #workersNow = 0;
  /** When the workers have changed, and when it has looked at what waits aside, by `performance.now`. */
  #changedAt = 0;
  #asideAt = Number.NEGATIVE_INFINITY;
  #isLimited = false;

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
    this.#workers = new Workers({ ...this.#options, queue: workersQueue(mapping.queue) });
    const onReady = () => this.#call();
    const { perKey } = mapping.order;
    const activeSince = (source: PartitionConsumer) => source.activeSince;
    const handOf = (source: PartitionConsumer) => source.hand;
    const active = () => this.#partitions.filter(({ isActive }) => isActive).length;
    const { connection, answerMs } = this.#options;
    const names = Array.from({ length: partitions }, (_, index) => partitionQueue(mapping.queue, index));
    this.#asides = perKey && new AsideWatch({ connection, queues: names.map(parkedQueue), answerMs });
    const lanes = perKey
      ? new KeyShares({ ...perKey, onReady, activeSince, handOf, partitions: active })
      : new KeyLanes<PartitionConsumer>(onReady);
    this.#lanes = lanes;
    this.#runner = new LaneCalls({ ...this.#options, lanes, ready: () => this.#call() });
    const memory = partitions * Math.min(partitionBytes, this.#options.held.waiting);
    const own = {
      ...this.#options,
      lanes,
      window: new PartitionWindow(mapping),
      matches: compileFilter(mapping.filterPatterns ?? []),
      received: () => this.#call(),
      othersWait: (index: number) => this.#partitions.some((each, other) => other !== index && each.isQuiet),
      hasMemory: () => this.#partitions.reduce((sum, { bytes }) => sum + bytes, 0) < memory,
    };
    this.#partitions = Array.from({ length: partitions }, (_, index) => new Partition({ ...own, index }));
  }

  /** As `Poller.start`, for all partitions. */
  async start(): Promise<void> {
    const { observer, mapping } = this.#options;
    this.#forgetKeys = observer.keys?.(mapping, () => this.#partitions.map(({ keys }) => keys));
    await Promise.all(this.#partitions.map((partition) => partition.start()));
    void this.#shareUntil(this.#stopping.signal);
  }

  /** Whether a message is held for its retry, or for the limit of its key. */
  get awaitsTurns(): boolean {
    return this.#isLimited || this.#partitions.some(({ isWaiting }) => isWaiting);
  }

  /** Takes no more messages, and resolves when the calls in flight have ended and their messages are acknowledged. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all([this.#workers.leave(), ...this.#partitions.map((partition) => partition.stop())]);
    this.#noteLimited(false);
    this.#forgetKeys?.();
  }

  /** Makes calls while there are messages, up to `concurrency`. */
  #call(): void {
    const { batchSize, concurrency = 1 } = this.#options.mapping;
    while (this.#calls < concurrency) {
      const { ready = batchSize } = this.#lanes;
      if (this.#calls > 0 && ready > 0 && ready < batchSize && this.#pace.waits()) break;
      const taken = this.#lanes.take({ size: batchSize, bytes: this.#options.held.event });
      if (taken.length === 0) break;
      this.#calls += 1;
      const ended = this.#pace.begin();
      void this.#runner.run(taken).finally(() => {
        this.#calls -= 1;
        ended();
        this.#call();
      });
    }
    this.#noteLimited(this.#calls < concurrency && this.#lanes.isLimited === true);
  }

  #noteLimited(isLimited: boolean): void {
    if (isLimited === this.#isLimited) return;
    this.#isLimited = isLimited;
    this.#options.observer.limited?.(this.#options.mapping, isLimited ? 1 : -1);
  }

  async #shareUntil(stopping: AbortSignal): Promise<void> {
    while (!stopping.aborted) {
      // One after the other: the broker may take longer to answer than the pause.
      await this.#share();
      await pause(performance.now() - this.#changedAt < changeMs ? changingMs : shareMs, stopping);
    }
  }

  /**
   * Hands over partitions beyond the share of this worker, because the broker gives all of them to the worker that came first. It
   * also hands over a partition whose oldest message is about to exceed the limit for acknowledgements.
   */
  async #share(): Promise<void> {
    const { callWithinMs } = this.#options;
    // A broker that is unavailable ends the subscriptions as well.
    const now = performance.now();
    if (this.#asides && now - this.#asideAt >= asideMs) {
      this.#asideAt = now;
      await this.#asides.look().catch(() => undefined);
    }
    for (const partition of this.#partitions) partition.tidy();
    for (const partition of this.#partitions)
      if (partition.isActive && partition.heldMs > callWithinMs) await partition.leave();
    const workers = await this.#workers.count().catch(() => 1);
    if (workers !== this.#workersNow) this.#changedAt = now;
    this.#workersNow = workers;
    const share = Math.ceil(this.#partitions.length / Math.max(1, workers));
    const active = this.#partitions.filter(({ isActive }) => isActive);
    // A key that waits for its retry would be tried too early by the next worker, and a partition that has come back may again.
    const kept = active.sort(
      (one, other) =>
        Number(other.isWaiting) - Number(one.isWaiting) || other.handedOverAt - one.handedOverAt || 0,
    );
    for (const partition of kept.slice(share)) await partition.handOver();
  }
}
