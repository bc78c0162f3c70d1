import type { Channel } from 'amqplib';
import { BrokerConnection } from '../amqp/connection.ts';
import { hasReplyCode } from '../amqp/reply-code.ts';
import { UnavailableError, WarrenError } from '../base/errors.ts';
import { differenceAdvice } from './broker-settings.ts';
import { inLanes } from './channel-lanes.ts';
import type { Binding, Queue, Topology } from './compile.ts';
import { type DeclaredIndex, declareDeadLetterIndex } from './dead-letter-index.ts';
import type { Delays } from './delays.ts';
import { exchangeAdvice } from './exchange-fields.ts';
import { fillLimits } from './fill-limits.ts';
import { hashExchangeType, type PartitionedQueue, partitionAdvice, partitionBindings } from './partitions.ts';
import { argumentsAt, lacksPriorities } from './queue-arguments.ts';

/** One request that declares something, with its description for an error. */
interface Declaration {
  what: string;
  /** What to do if it exists with other properties. */
  advice?: string;
  /** The part of the broker that has to be there. */
  needs?: string;
  run: (channel: Channel) => Promise<unknown>;
}

/**
 * Declares a topology. It only adds: an exchange or a queue that exists with other properties stays, and the error names the
 * difference. The index of the dead letters, if the topology has one, is declared if the broker supports it.
 *
 * @param url AMQP URL of the broker.
 * @returns the state of the index; undefined if the topology has none.
 * @throws WarrenError ERR_TOPOLOGY for such a difference, UnavailableError if the connection is lost; as `BrokerConnection.channel` if
 *   the broker is unavailable.
 */
export async function applyTopology(url: string, topology: Topology): Promise<DeclaredIndex | undefined> {
  const connection = new BrokerConnection({ url, name: 'warren topology apply' });
  const declare = (declarations: readonly Declaration[]) =>
    inLanes(connection, declarations, (channel) => declarer(channel, connection));
  try {
    const { partitioned = [], limited = [] } = topology;
    const isDivided = ({ name }: Queue) => partitioned.some(({ queue }) => queue === name);
    // First, because it has its partitions as an argument: nothing else changes if they are others at the broker.
    await declare(queuesOf(topology.queues.filter(isDivided), partitioned));
    // In this order: an alternate exchange may be declared later, but a binding needs both its ends.
    const { delays } = topology;
    const exchanges = [...exchangesOf(topology), ...(delays ? exchangesOf(delays) : [])];
    // By themselves, because a broker without the plugin closes the connection, and with it all lanes.
    await declare(exchanges.filter(({ needs }) => needs !== undefined));
    await declare(exchanges.filter(({ needs }) => needs === undefined));
    const others = topology.queues.filter((queue) => !isDivided(queue) && queue.limitOf === undefined);
    await declare(queuesOf([...others, ...(delays?.queues ?? [])]));
    await declare([...bindingsOf(topology), ...(delays ? bindingsOf(delays) : [])]);
    await inLanes(connection, partitioned, (channel) => binder(declarer(channel, connection)));
    if (delays) await declare(linksOf(delays));
    await fillLimits(connection, limited, (name) =>
      declare(queuesOf(topology.queues.filter((queue) => queue.name === name))),
    );
    return topology.deadLetterIndex ? await declareDeadLetterIndex(url) : undefined;
  } finally {
    await connection.close();
  }
}

function exchangesOf({ exchanges }: Pick<Topology, 'exchanges'>): Declaration[] {
  return exchanges.map(({ name, type, arguments: args }) => ({
    what: `exchange "${name}"`,
    advice: exchangeAdvice,
    ...(type === hashExchangeType && { needs: 'the plugin rabbitmq_consistent_hash_exchange' }),
    run: (channel) => channel.assertExchange(name, type, { durable: true, arguments: args }),
  }));
}

function queuesOf(queues: readonly Queue[], partitioned: readonly PartitionedQueue[] = []): Declaration[] {
  return queues.map((queue) => ({
    what: `queue "${queue.name}"`,
    advice: partitioned.some((each) => each.queue === queue.name) ? partitionAdvice : differenceAdvice,
    run: async (channel) => {
      const { version } = channel.connection.serverProperties;
      if (lacksPriorities(version, queue)) {
        throw new WarrenError('ERR_TOPOLOGY', `priorities: expected RabbitMQ 4.0 or later, got ${version}`);
      }
      return channel.assertQueue(queue.name, { durable: true, arguments: argumentsAt(version, queue) });
    },
  }));
}

function bindingsOf({
  bindings,
  partitioned = [],
}: Pick<Topology, 'bindings' | 'partitioned'>): Declaration[] {
  const others = bindings.filter(({ exchange }) => !partitioned.some((each) => each.exchange === exchange));
  return others.map(binding);
}

const binding = ({ queue, exchange, routingKey, arguments: args }: Binding): Declaration => ({
  what: `binding of "${queue}" to "${exchange}"`,
  run: (channel) => channel.bindQueue(queue, exchange, routingKey, args),
});

/**
 * Binds the partitions one after the other, because their order decides about the partition of a key. The sources follow, so that no
 * message comes before all partitions are there.
 */
function binder(declare: (declaration: Declaration) => Promise<void>) {
  return async (partitioned: PartitionedQueue): Promise<void> => {
    const { exchange, sources } = partitioned;
    for (const each of partitionBindings(partitioned)) await declare(binding(each));
    for (const { exchange: source, routingKey, arguments: args } of sources) {
      await declare({
        what: `binding of "${exchange}" to "${source}"`,
        run: (channel) => channel.bindExchange(exchange, source, routingKey, args),
      });
    }
  };
}

function linksOf({ links }: Delays): Declaration[] {
  return links.map(({ to, exchange, routingKey, arguments: args }) => ({
    what: `binding of exchange "${to}" to "${exchange}"`,
    run: (channel) => channel.bindExchange(to, exchange, routingKey, args),
  }));
}

/** A refused declaration closes its channel or the connection, and only their errors have the broker's own words. */
function declarer(channel: Channel, connection: Pick<BrokerConnection, 'refusal'>) {
  let refusal: Error | undefined;
  channel.on('error', (error: Error) => {
    refusal = error;
  });
  return async ({ what, run, advice, needs }: Declaration): Promise<void> => {
    await run(channel).catch((cause: Error) => {
      const reason = refusal ?? connection.refusal ?? cause;
      if (reason instanceof UnavailableError) throw reason;
      const differs = advice !== undefined && hasReplyCode(reason, 406);
      const hints = [...(differs ? [advice] : []), ...(needs === undefined ? [] : [`it needs ${needs}`])];
      const text = [`${what} can't be declared: ${reason.message}`, ...hints].join('; ');
      throw new WarrenError('ERR_TOPOLOGY', text, { cause });
    });
  };
}
