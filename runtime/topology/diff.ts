import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod';
import { alternateDifferences, planAlternates } from './alternate-policies.ts';
import type { Binding, Queue, Topology } from './compile.ts';
import type { Difference } from './difference.ts';
import { leftBehind } from './left-behind.ts';
import { loweredDifferences, staleDifferences } from './limit-differences.ts';
import { planLimits } from './limit-policies.ts';
import { managementApi, readVersion } from './management.ts';
import { argumentsAt, lacksPriorities } from './queue-arguments.ts';
import { comparePolicies } from './retry-policies.ts';

const argumentsField = z.record(z.string(), z.unknown()).default({});
const exchangeList = () =>
  z.array(z.object({ name: z.string(), type: z.string(), arguments: argumentsField }));
const queueList = () =>
  z.array(z.object({ name: z.string(), arguments: argumentsField, messages: z.number().optional() }));
const bindingList = () =>
  z.array(
    z.object({
      source: z.string(),
      destination: z.string(),
      destination_type: z.string(),
      routing_key: z.string(),
      arguments: argumentsField,
    }),
  );

/**
 * Compares a topology with the exchanges, queues and bindings at the broker, and changes nothing.
 *
 * @param options.managementUrl URL of the management API, with its login.
 * @param options.vhost as a path of the API contains it: `%2F`.
 * @throws as `managementApi`.
 */
export async function diffTopology(
  topology: Topology,
  options: { managementUrl: string; vhost: string },
): Promise<Difference[]> {
  const { vhost } = options;
  const api = managementApi(options.managementUrl, 10_000);
  const [version, exchanges = [], queues = [], bindings = []] = await Promise.all([
    readVersion(api),
    api.get(`exchanges/${vhost}?columns=name,type,arguments`, exchangeList()),
    api.get(`queues/${vhost}?columns=name,arguments,messages`, queueList()),
    api.get(`bindings/${vhost}`, bindingList()),
  ]);
  const { compared } = await comparePolicies(api, topology, vhost);
  const limits = await planLimits(api, topology, vhost);
  const alternates = await planAlternates(api, topology, vhost);
  const { delays, partitioned: hashed = [] } = topology;
  const isHash = (name: string) => hashed.some(({ exchange }) => exchange === name);
  const links = (delays?.links ?? []).map(({ to: queue, ...link }) => ({ ...link, queue }));
  // An exchange takes the messages of a queue with partitions, also the delayed ones.
  const declared: Binding[] = [
    ...topology.bindings,
    ...(delays?.bindings ?? []),
    ...hashed.flatMap(({ exchange: queue, sources }) => sources.map((each) => ({ ...each, queue }))),
    ...links.filter(({ queue }) => isHash(queue)),
  ];
  const isBound = ({ queue }: { queue: string }) =>
    topology.queues.some(({ name }) => name === queue) || isHash(queue);
  const all = bindings
    .filter(({ source }) => source !== '')
    .map(({ source, destination, destination_type: type, routing_key, ...rest }) => ({
      type,
      exchange: source,
      queue: destination,
      routingKey: routing_key,
      arguments: rest.arguments,
    }));
  const found = all.filter(({ type, queue }) => type === 'queue' || isHash(queue));
  const isLeft = leftBehind(topology);
  const linked = all.filter(({ type }) => type === 'exchange');
  return [
    ...alternateDifferences(alternates),
    ...[...alternates.exchanges, ...(delays?.exchanges ?? [])].flatMap(
      ({ name, type, arguments: args = {} }) => {
        const known = exchanges.find((each) => each.name === name);
        return compare(
          `exchange "${name}"`,
          { type, ...args },
          known && { type: known.type, ...known.arguments },
        );
      },
    ),
    ...[...topology.queues, ...(delays?.queues ?? [])].flatMap((queue: Queue): Difference[] => {
      const { name } = queue;
      const known = queues.find((each) => each.name === name);
      const what = `queue "${name}"`;
      const lowered = limits.lowered.find(({ queue }) => queue === name);
      const kept = limits.topology.queues.find((each) => each.name === name);
      const differences = [
        ...(lowered && known ? loweredDifferences(lowered, known.arguments) : []),
        ...limits.kept.filter((each) => each.what === what),
        ...compare(what, argumentsAt(version, kept ?? queue), known?.arguments),
      ];
      if (!lacksPriorities(version, queue)) return differences;
      const found = `RabbitMQ ${version}`;
      return [...differences, { what, kind: 'different', property: 'priorities', declared: true, found }];
    }),
    ...queues
      .filter(({ name }) => isLeft(name))
      .map(({ name, messages: found }): Difference => {
        return { what: `queue "${name}"`, kind: 'surplus', property: 'messages', found };
      }),
    ...linked
      .filter(({ queue }) => isLeft(queue))
      .map((each): Difference => ({ what: named(each, 'exchange '), kind: 'surplus' })),
    ...limits.stale.flatMap(staleDifferences),
    ...declared
      .filter((each) => !found.some((other) => isSame(each, other)))
      .map((each): Difference => ({ what: named(each), kind: 'missing' })),
    ...found
      .filter(isBound)
      .filter((each) => !declared.some((other) => isSame(each, other)))
      .map((each): Difference => ({ what: named(each), kind: 'surplus' })),
    ...links
      .filter((each) => !isHash(each.queue) && !linked.some((other) => isSame(each, other)))
      .map((each): Difference => ({ what: named(each, 'exchange '), kind: 'missing' })),
    ...compared
      .filter((each) => !isDeepStrictEqual(each.wanted, each.found))
      .map(({ wanted, found: known }): Difference => {
        return { what: `policy "${wanted.name}"`, kind: known ? 'outdated' : 'missing' };
      }),
  ];
}

function compare(
  what: string,
  declared: Readonly<Record<string, unknown>>,
  found: Readonly<Record<string, unknown>> | undefined,
): Difference[] {
  if (!found) return [{ what, kind: 'missing' }];
  return [...new Set([...Object.keys(declared), ...Object.keys(found)])]
    .filter((property) => !isDeepStrictEqual(declared[property], found[property]))
    .map((property) => ({
      what,
      kind: 'different',
      property,
      declared: declared[property],
      found: found[property],
    }));
}

type Compared = Omit<Binding, 'arguments'> & { arguments?: Readonly<Record<string, unknown>> | undefined };

const isSame = (one: Compared, other: Compared): boolean =>
  one.queue === other.queue &&
  one.exchange === other.exchange &&
  one.routingKey === other.routingKey &&
  isDeepStrictEqual({ ...one.arguments }, { ...other.arguments });

const named = ({ queue, exchange, routingKey }: Compared, kind = ''): string =>
  `binding of ${kind}"${queue}" to "${exchange}"${routingKey === '' ? '' : ` by "${routingKey}"`}`;
