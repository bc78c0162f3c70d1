import type { ConsumeMessage } from 'amqplib';
import type { BrokerConnection } from '../amqp/connection.ts';
import type { Arrivals } from './arrivals.ts';
import type { HeldBytes } from './held-bytes.ts';
import type { Mapping } from './mapping.ts';
import type { Observer } from './observer.ts';
import type { QueueDelay } from './queue-delay.ts';

export interface SubscriptionOptions {
  mapping: Mapping;
  connection: Pick<BrokerConnection, 'channel' | 'discard' | 'address'>;
  observer: Observer;
  queueDelay: QueueDelay;
  arrivals: Pick<Arrivals, 'earliest'>;
  /** Whether the function wants a message with this content. */
  matches: (content: Buffer) => boolean;
  /** Milliseconds that the broker may take to answer; after that the connection is discarded. */
  answerMs: number;
  /** Bytes of messages that it may hold. */
  held: HeldBytes;
  /** Has the messages of a batch, default the mapping. The prefetch follows from that when a subscription begins. */
  batches?: Readonly<Pick<Mapping, 'batchSize'>>;
  /** Aborted when the poller is stopped. */
  stopping: AbortSignal;
  /** Publishes the copy of a message that goes back without a call, near the limit of its deliveries. */
  setBack: (delivery: ConsumeMessage) => Promise<void>;
}
