import { isDeepStrictEqual } from 'node:util';
import { limitArguments, overflowArgument } from './broker-settings.ts';
import type { Difference } from './difference.ts';
import type { LoweredQueue } from './limit-policies.ts';
import type { BrokerPolicy } from './queue-retry.ts';

type Values = Readonly<Record<string, unknown>>;

const settings = [...limitArguments, overflowArgument];

/** What a policy changes in a queue that keeps its arguments. */
export function loweredDifferences({ queue, policy, found }: LoweredQueue, kept: Values): Difference[] {
  if (isDeepStrictEqual(policy, found)) return [];
  const rows = settings.flatMap((property): Difference[] => {
    const [after, before] = [policy, found].map((each) => effective(property, kept, each?.definition));
    if (after === before) return [];
    const kind = property === overflowArgument ? 'outdated' : 'lowered';
    return [{ what: `queue "${queue}"`, kind, property, declared: after, found: before }];
  });
  // Another property of the policy differs, such as its priority.
  return rows.length > 0 ? rows : [{ what: `policy "${policy.name}"`, kind: found ? 'outdated' : 'missing' }];
}

/** The settings that end because a policy of ours is not needed any more. */
export function staleDifferences({ name, definition }: BrokerPolicy): Difference[] {
  const what = `policy "${name}"`;
  const limits = Object.entries(definition).filter(([key]) => settings.includes(`x-${key}`));
  if (limits.length === 0) return [{ what, kind: 'outdated' }];
  return limits.map(([property, found]): Difference => ({ what, kind: 'outdated', property, found }));
}

/** RabbitMQ applies the lower one of a limit as an argument and in a policy. */
function effective(property: string, kept: Values, definition: Values = {}): unknown {
  const values = [kept[property], definition[property.slice('x-'.length)]].filter(
    (value) => value !== undefined,
  );
  if (property === overflowArgument) return values[0];
  return values.length === 0 ? undefined : Math.min(...values.map(Number));
}
