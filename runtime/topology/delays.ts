/**
 * Delayed messages wait on a ladder of queues, a level for each bit of their delay. The idea is that of NServiceBus' transport for
 * RabbitMQ, whose levels read the bits from the routing key. Here they are headers, so that a message keeps its routing key.
 *
 *     warren.delay.exchange.orders    the entry, which takes messages for its own destination only
 *     warren.delay.level.27 ... 00    each level: a message with its bit waits in the queue `warren.delay.27`, any other passes
 *     warren.due                      finds the queue of the destination, or else the dead letters
 *     warren.due.exchange.orders      that queue, which hands over at once
 *     warren.due.for.orders           an exchange with the bindings of `orders`
 *
 * At-least-once dead-lettering stops a queue at 32 messages that their target does not take. So each destination has a queue of its own:
 * a full queue holds up neither the ladder nor another destination. It hands over to an exchange of its own, because a message that no
 * binding matches must go to the dead letters, and an existing exchange gets no alternate.
 */

import type { BindingArguments } from './bindings.ts';
import {
  delayAddress,
  delayEntry,
  delayLevel,
  delayLevelExchange,
  delayLevelHeader,
  delayLevels,
  delayToHeader,
  delayUnitMs,
  dueExchange,
  dueQueue,
  dueStandIn,
} from './delay-names.ts';
import { delayedAddresses, delayedNames } from './delayed-names.ts';
import { deadExchange, homeExchange } from './names.ts';
import type { PartitionedQueue } from './partitions.ts';
import type { Section } from './schema.ts';

interface Bound {
  exchange: string;
  routingKey: string;
  arguments?: BindingArguments | undefined;
}

/** Where messages go that are not delayed. */
interface Routes {
  bindings: readonly (Bound & { queue: string })[];
  partitioned?: readonly PartitionedQueue[];
}

/** What is declared for delayed messages. */
export interface Delays {
  exchanges: { name: string; type: string; arguments: Record<string, unknown> }[];
  queues: { name: string; arguments: Record<string, unknown> }[];
  bindings: (Bound & { queue: string })[];
  /** Bindings of exchanges to exchanges. */
  links: (Bound & { to: string })[];
}

/** What is declared for the delayed messages of a service; undefined if no exchange and no queue has `delays`. */
export function compileDelays(section: Section, { bindings, partitioned = [] }: Routes): Delays | undefined {
  const exchanges = delayedNames(section.exchanges);
  const queues = delayedNames(section.queues);
  const addresses = delayedAddresses(section);
  if (addresses.length === 0) return undefined;
  const levels = Array.from({ length: delayLevels }, (_, level) => level);
  const standIns = withAlternates(section, exchanges);
  return {
    exchanges: [
      ...addresses.map((address) => ({ name: delayEntry(address), type: 'headers', arguments: {} })),
      ...levels.map((level) => ({
        name: delayLevelExchange(level),
        type: 'headers',
        arguments: { 'alternate-exchange': below(level) },
      })),
      { name: dueExchange, type: 'headers', arguments: { 'alternate-exchange': deadExchange } },
      ...standIns.map((name) => standIn(name, section.exchanges[name])),
    ],
    queues: [
      ...levels.map((level) => ({
        name: delayLevel(level),
        arguments: waiting(delayUnitMs * 2 ** level, below(level)),
      })),
      ...exchanges.map((name) => {
        return { name: dueQueue(delayAddress(name, '')), arguments: waiting(0, dueStandIn(name)) };
      }),
      ...queues.map((name) => ({
        name: dueQueue(delayAddress('', name)),
        arguments: { ...waiting(0, homeExchange), 'x-dead-letter-routing-key': name },
      })),
    ],
    bindings: [
      ...levels.map((level) => ({
        queue: delayLevel(level),
        exchange: delayLevelExchange(level),
        routingKey: '',
        arguments: only(delayLevelHeader(level), true),
      })),
      ...addresses.map((address) => ({
        queue: dueQueue(address),
        exchange: dueExchange,
        routingKey: '',
        arguments: only(delayToHeader, address),
      })),
      ...bindings
        .filter(({ exchange }) => standIns.includes(exchange))
        .map((each) => ({ ...each, exchange: dueStandIn(each.exchange) })),
    ],
    links: [
      ...addresses.map((address) => ({
        to: delayLevelExchange(delayLevels - 1),
        exchange: delayEntry(address),
        routingKey: '',
        arguments: only(delayToHeader, address),
      })),
      ...partitioned.flatMap(({ exchange: to, sources }) =>
        sources
          .filter(({ exchange }) => standIns.includes(exchange))
          .map((each) => ({ ...each, to, exchange: dueStandIn(each.exchange) })),
      ),
    ],
  };
}

/** The exchange after a level: that of the level below it. */
const below = (level: number): string => (level === 0 ? dueExchange : delayLevelExchange(level - 1));

/** Arguments of a binding that compares one header, whose name starts with `x-`. */
const only = (header: string, value: string | boolean): BindingArguments => ({
  'x-match': 'all-with-x',
  [header]: value,
});

/** Arguments of a queue that hands each message over after a time. */
const waiting = (ms: number, exchange: string): Record<string, unknown> => ({
  'x-queue-type': 'quorum',
  'x-message-ttl': ms,
  'x-dead-letter-exchange': exchange,
  'x-dead-letter-strategy': 'at-least-once',
  'x-overflow': 'reject-publish',
});

/** Names of exchanges with their alternates, the alternates of those, and so on. */
function withAlternates({ exchanges }: Section, names: readonly string[]): string[] {
  const all = new Set(names);
  for (const name of all) {
    const alternate = exchanges[name]?.alternateExchange;
    if (alternate !== undefined) all.add(alternate);
  }
  return [...all];
}

function standIn(
  name: string,
  declared: Section['exchanges'][string] | undefined,
): Delays['exchanges'][number] {
  const { type = 'topic', alternateExchange: alternate, arguments: given } = declared ?? {};
  const unmatched = alternate === undefined ? deadExchange : dueStandIn(alternate);
  return {
    name: dueStandIn(name),
    type,
    arguments: { ...given, 'alternate-exchange': unmatched },
  };
}
