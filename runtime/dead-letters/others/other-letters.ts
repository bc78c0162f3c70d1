import { BrokerConnection } from '../../amqp/connection.ts';
import { brokerUrls } from '../../amqp/urls.ts';
import { type ManagementApi, managementApi, readVersion, vhostInPath } from '../../topology/management.ts';
import type { DeadLetterEntry } from '../entries.ts';
import {
  type EntryFilter,
  type EntryGroup,
  type EntryRange,
  type EntrySummary,
  type Failure,
  groupEntries,
  type Intervals,
} from '../entry-summary.ts';
import { fingerprintOf } from '../fingerprint.ts';
import { GoneLog } from '../gone-log.ts';
import type { LetterIndex } from '../letter-index.ts';
import { queueState } from '../queue-state.ts';
import { readStream } from '../read-stream.ts';
import type { SearchOptions } from '../search-log.ts';
import { browse } from './browse.ts';
import { findQueues, type OtherQueue } from './find-queues.ts';
import { LetterStore } from './letter-store.ts';

export interface OtherLettersOptions {
  /** AMQP URL of the broker. */
  url: string;
  /** URL of the management API with its login, which reports the types of queues. */
  managementUrl: string;
  /** Names of the queues, default those that `findQueues` finds. */
  names?: readonly string[] | undefined;
}

/** What is known of a queue's messages. */
interface Seen {
  /** Number of messages at the last read. */
  count: number;
  /** Of a stream: the next offset. */
  next: number;
  readAt: number;
}

/** Milliseconds between two searches for queues, and after which a classic queue is read again though its count is the same. */
const [findMs, againMs] = [10_000, 60_000];
const timeoutMs = 5000;

/**
 * The dead letters in queues that other clients declared, on any RabbitMQ. A stream is read from the end of the last read. The messages of other
 * queues are read and returned, when their number has changed; `problem` of a queue is the reason why it is not read.
 */
export class OtherLetters implements LetterIndex {
  readonly gone = new GoneLog();
  readonly #options: OtherLettersOptions;
  readonly #api: ManagementApi;
  readonly #vhost: string;
  readonly #connection: BrokerConnection;
  readonly #store = new LetterStore();
  readonly #seen = new Map<string, Seen>();
  #queues: OtherQueue[] = [];
  #foundAt = Number.NEGATIVE_INFINITY;
  #updating: Promise<void> | undefined;
  /** Number of actions that are running. */
  #acting = 0;

  constructor(options: OtherLettersOptions) {
    const { url, managementUrl } = options;
    this.#options = options;
    this.#api = managementApi(managementUrl, timeoutMs);
    this.#vhost = vhostInPath(brokerUrls(url)[0] ?? '');
    this.#connection = new BrokerConnection({ url, name: 'warren dead-letters of other clients' });
  }

  get queues(): readonly OtherQueue[] {
    return this.#queues;
  }

  get store(): LetterStore {
    return this.#store;
  }

  get size(): number {
    return this.#store.table.size;
  }

  has(offset: number): boolean {
    return this.#store.table.has(offset);
  }

  update(): Promise<void> {
    this.#updating ??= this.#update().finally(() => {
      this.#updating = undefined;
    });
    return this.#updating;
  }

  /**
   * Acts on a queue. A reader of a queue hides its messages from the action, and the action hides some from the reader, so that it
   * waits for the end of an update, and updates read no queue but streams until it ends.
   */
  async during<T>(queue: string, act: () => Promise<T>): Promise<T> {
    this.#acting += 1;
    try {
      await this.#updating?.catch(() => undefined);
      return await act();
    } finally {
      this.#acting -= 1;
      // As many messages may have arrived as the action has removed.
      this.#seen.delete(queue);
    }
  }

  groups(filter: EntryFilter = {}, fields?: readonly (keyof Failure)[], intervals?: Intervals): EntryGroup[] {
    return groupEntries(this.#store.table.select(filter), fields, intervals);
  }

  page(filter: EntryFilter, range: EntryRange & { limit?: number }): EntrySummary[] {
    return this.#store.page(filter, range);
  }

  async read(entries: readonly Pick<EntrySummary, 'offset'>[]): Promise<DeadLetterEntry[]> {
    return this.#store.read(entries);
  }

  search(
    text: string,
    filter: EntryFilter = {},
    options: SearchOptions = {},
  ): AsyncGenerator<DeadLetterEntry, void, undefined> {
    return this.#store.search(text, filter, options);
  }

  async close(): Promise<void> {
    await this.#updating?.catch(() => undefined);
    await this.#connection.close();
  }

  async #update(): Promise<void> {
    const now = performance.now();
    if (now - this.#foundAt > findMs) {
      const [vhost, version] = [this.#vhost, await readVersion(this.#api)];
      this.#queues = await findQueues(this.#api, { vhost, version, names: this.#options.names });
      this.#foundAt = now;
    }
    for (const queue of this.#queues) {
      if (queue.problem !== null) continue;
      if (queue.kind === 'stream') await this.#readStream(queue);
      else if (this.#acting === 0) await this.#readQueue(queue, now);
    }
  }

  async #readStream(queue: OtherQueue): Promise<void> {
    const seen = this.#seen.get(queue.queue) ?? { count: 0, next: 0, readAt: 0 };
    for await (const { offset, message } of readStream(this.#connection, queue.queue, { from: seen.next })) {
      seen.next = offset + 1;
      if (!this.#store.add(queue.queue, message)) queue.problem = noRoom;
    }
    this.#seen.set(queue.queue, seen);
  }

  async #readQueue(queue: OtherQueue, now: number): Promise<void> {
    const [name, channel] = [queue.queue, await this.#connection.channel()];
    const { messageCount: count } = await queueState(channel, name);
    await channel.close();
    queue.total = count;
    const seen = this.#seen.get(name);
    const isOld = queue.kind === 'classic' && now - (seen?.readAt ?? 0) > againMs;
    if (seen?.count === count && !isOld) return;
    const gone = this.#store.offsetsOf(name);
    const isWhole = await browse(this.#connection, name, (message) => {
      const same = gone.get(fingerprintOf(message));
      if (same && same.length > 0) same.shift();
      else if (!this.#store.add(name, message)) queue.problem = noRoom;
      return queue.problem === null;
    });
    for (const offset of [...gone.values()].flat()) this.#store.remove(offset);
    // What another client had is read by the next update.
    this.#seen.set(name, { count: isWhole ? count : -1, next: 0, readAt: now });
  }
}

const noRoom = 'the board has no room in memory for more of its messages';
