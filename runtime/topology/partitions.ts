/**
 * A queue with `orderBy` at the broker. An exchange of type `x-consistent-hash` divides the keys among partitions, each a quorum queue
 * with a single active consumer. The exchanges to which the queue is bound are bound to it, so that publishers need no change. The
 * queue itself takes what is published by its name and passes it on at once, such as a dead letter that is replayed.
 */
import type { Problem } from '../base/problems.ts';
import { settingArguments } from './broker-settings.ts';
import { parkedQueue, partitionQueue, workersQueue } from './names.ts';
import { defaultPartitions, orderProblems, partitionDeliveryLimit } from './order.ts';
import { perKeyProblems } from './per-key.ts';
import { workArguments } from './queue-arguments.ts';
import { problemIn, type Section } from './schema.ts';
import type { PerKey } from './token-names.ts';

type DeclaredQueue = Section['queues'][string];

/** The partitions of a queue with `orderBy`. */
export interface PartitionedQueue {
  queue: string;
  orderBy: string;
  /** Name of the exchange that divides the keys. */
  exchange: string;
  /** Names of the queues with the messages. */
  partitions: string[];
  /** For each partition, the queue in which messages of keys wait that have more than their share; undefined with `orderBy`. */
  parked?: string[];
  /** What the messages of one key may take; undefined with `orderBy`. */
  perKey?: PerKey;
  /** The exchanges from which it takes messages. */
  sources: DeclaredQueue['bindings'];
}

/** The type of the exchange, of the plugin `rabbitmq_consistent_hash_exchange`. */
export const hashExchangeType = 'x-consistent-hash';

/** Advice for a queue that exists with other partitions, or without. */
export const partitionAdvice =
  'orderBy and partitions decide where the messages of a key wait, so they are changed while none wait: stop its publishers, let the workers empty it, delete the queue and apply again (docs/ordering.md#another-number-of-partitions)';

/** The queues of a section that have partitions. */
export function partitionedQueues({ queues }: Section): PartitionedQueue[] {
  return Object.entries(queues).flatMap(([queue, own]) => {
    const { perKey, partitions = defaultPartitions, bindings } = own;
    const orderBy = own.orderBy ?? perKey?.of;
    if (orderBy === undefined) return [];
    const names = Array.from({ length: partitions }, (_, index) => partitionQueue(queue, index));
    return [
      {
        queue,
        orderBy,
        exchange: partitionExchange(queue, orderBy, partitions),
        partitions: names,
        ...(perKey && { parked: names.map(parkedQueue), perKey }),
        sources: bindings,
      },
    ];
  });
}

/**
 * The name has all that decides about the partition of a key. The queue has it as an argument, so that the broker refuses to change
 * it while messages wait.
 */
const partitionExchange = (queue: string, orderBy: string, partitions: number): string =>
  `${queue}.by.${orderBy}.${partitions}`;

/** The exchange of a partitioned queue. */
export function hashExchange({ exchange, orderBy }: PartitionedQueue) {
  const [kind, ...name] = orderBy.split('.');
  const args =
    kind === 'header'
      ? { 'hash-header': name.join('.') }
      : kind === 'correlationId'
        ? { 'hash-property': 'correlation_id' }
        : undefined;
  return { name: exchange, type: hashExchangeType, ...(args && { arguments: args }) };
}

/** Arguments of a queue that passes rejected messages to another one. */
const passingTo = (queue: string) => ({ 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': queue });

/** The queue itself, which passes each message on, its partitions, and the queue by which their workers are counted. */
export function queuesOf({ queue, exchange, partitions, parked }: PartitionedQueue, settings: DeclaredQueue) {
  const { initialGroupSize, deliveryLimit = partitionDeliveryLimit } = settings;
  return [
    {
      name: queue,
      arguments: {
        'x-queue-type': 'quorum',
        'x-message-ttl': 0,
        'x-dead-letter-exchange': exchange,
        'x-dead-letter-strategy': 'at-least-once',
        'x-overflow': 'reject-publish',
        ...settingArguments({ initialGroupSize }),
      },
    },
    {
      name: workersQueue(queue),
      arguments: { 'x-queue-type': 'classic', 'x-max-length': 0 },
      partitionOf: queue,
    },
    ...partitions.map((name) => ({
      name,
      arguments: {
        ...workArguments(queue, { ...settings, deliveryLimit, singleActiveConsumer: true }),
        ...(parked && passingTo(parkedQueue(name))),
      },
      partitionOf: queue,
    })),
    ...(parked ? partitions : []).map((name) => ({
      name: parkedQueue(name),
      arguments: {
        ...workArguments(queue, { initialGroupSize, deliveryLimit }),
        ...passingTo(name),
      },
      partitionOf: queue,
    })),
  ];
}

/**
 * The bindings of the partitions, in the order in which they have to be made: the broker gives a key to the nth binding. Their routing
 * key is their weight.
 */
export function partitionBindings({ exchange, partitions }: PartitionedQueue) {
  return partitions.toSorted().map((queue) => ({ queue, exchange, routingKey: '1' }));
}

/** The problems of the queues with `orderBy`. */
export function partitionProblems(section: Section): Problem[] {
  const { queues } = section;
  const taken = (kind: 'queues' | 'exchanges', name: string, of: string) =>
    Object.hasOwn(section[kind], name) ? [problemIn(kind, name, `"${name}" has the name of ${of}`)] : [];
  return [
    ...Object.entries(queues).flatMap(([queue, own]) =>
      [
        ...orderProblems(queue, own, own.retryDelays ?? section.retryDelays),
        ...perKeyProblems(queue, own),
      ].map((text) => problemIn('queues', queue, text)),
    ),
    ...partitionedQueues(section).flatMap(({ queue, exchange, partitions, parked = [] }) => [
      ...[...partitions, ...parked, workersQueue(queue)].flatMap((name) =>
        taken('queues', name, `a partition of queue "${queue}"`),
      ),
      ...taken('exchanges', exchange, `the exchange of the partitions of queue "${queue}"`),
    ]),
  ];
}
