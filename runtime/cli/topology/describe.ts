import type { Topology } from '../../topology/compile.ts';
import type { Difference } from '../../topology/difference.ts';
import { homeExchange } from '../../topology/names.ts';
import { table } from '../table.ts';

const effects: Readonly<Record<Difference['kind'], string>> = {
  missing: 'apply declares it',
  different: 'apply stops: it cannot be changed',
  kept: 'apply goes on: only a new queue can have it',
  lowered: 'apply sets a policy: the queue keeps its argument',
  outdated: 'apply changes it',
  surplus: 'it stays',
};

/** The differences between what is declared and the broker, and what `apply` would do about each. */
export function describeDifferences(differences: readonly Difference[]): string {
  if (differences.length === 0) return 'no differences';
  const shown = (value: unknown) => (value === undefined ? 'none' : JSON.stringify(value));
  return table(
    ['what', 'difference', 'declared', 'at the broker', 'effect'],
    differences.map(({ what, kind, property, declared, found }) =>
      property !== undefined
        ? [what, property, shown(declared), shown(found), effects[kind]]
        : [what, kind, '', '', effects[kind]],
    ),
  );
}

/** What `apply` would declare. */
export function describe({
  exchanges,
  queues,
  bindings,
  delays,
  partitioned = [],
  limited = [],
}: Topology): string {
  const own = queues.filter(({ retryOf, limitOf }) => (retryOf ?? limitOf) === undefined);
  return [
    table(
      ['exchange', 'type'],
      exchanges.map(({ name, type }) => [name, type]),
    ),
    table(
      ['queue', 'type', 'bound to', 'retry queues'],
      own.map(({ name, arguments: args }) => {
        const retries = queues.filter(({ retryOf }) => retryOf === name);
        const divided = partitioned.find(({ queue }) => queue === name);
        const bound =
          divided?.sources ??
          bindings.filter(({ queue, exchange }) => queue === name && exchange !== homeExchange);
        const sources = bound.map(({ exchange, routingKey, arguments: headers }) =>
          `${exchange} ${headers ? JSON.stringify(headers) : routingKey}`.trim(),
        );
        const retried = retries.map((each) => each.name).join('\n');
        return [name, String(args['x-queue-type']), sources.join('\n'), retried];
      }),
    ),
    ...(partitioned.length > 0
      ? [
          table(
            ['queue', 'key', 'kept', 'partitions'],
            partitioned.map(({ queue, orderBy, partitions, parked }) => [
              ...[queue, orderBy, parked ? 'limits' : 'order'],
              partitions.join('\n'),
            ]),
          ),
        ]
      : []),
    ...(limited.length > 0
      ? [
          table(
            ['queue', 'messages', 'in', 'tokens'],
            limited.map(({ queue, count, periodMs, tokens }) => [
              queue,
              `${count}`,
              `${periodMs / 1000} s`,
              tokens,
            ]),
          ),
        ]
      : []),
    ...(delays
      ? [`delayed messages wait in ${delays.queues.length} queues: warren scheduled counts them`]
      : []),
  ].join('\n');
}
