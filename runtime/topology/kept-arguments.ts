import { isDeepStrictEqual } from 'node:util';
import { groupSizeArgument, limitArguments, overflowArgument } from './broker-settings.ts';
import type { Queue, Topology } from './compile.ts';
import type { Difference } from './difference.ts';
import { workersQueue } from './names.ts';

type Values = Readonly<Record<string, unknown>>;

/** How a queue that exists with other arguments gets the settings of its topology. */
export interface Settlement {
  /** The settings that a policy can change: its keys and values. */
  limits: Record<string, unknown>;
  /** The settings that the queue keeps, because it was declared with them, and a policy can only lower a limit. */
  kept: Difference[];
}

/**
 * Compares the arguments of a queue with those at the broker. RabbitMQ applies the lower one of a limit as an argument and in a
 * policy. For `x-overflow`, an argument takes precedence.
 *
 * @returns undefined if there is no difference, or one that stops apply.
 */
export function settle(queue: Queue, found: Values | undefined, topology: Topology): Settlement | undefined {
  const { arguments: declared } = queue;
  if (found === undefined || queue.isUnlimited) return undefined;
  const different = [...new Set([...Object.keys(declared), ...Object.keys(found)])].filter(
    (key) => !isDeepStrictEqual(declared[key], found[key]),
  );
  const canOverflow = declared['x-dead-letter-strategy'] !== 'at-least-once';
  const settable = canOverflow ? [...limitArguments, overflowArgument] : limitArguments;
  const byPolicy = different.filter((key) => settable.includes(key) && isPolicyEnough(key, declared, found));
  const kept = different.filter((key) => !byPolicy.includes(key));
  const keepable = [...settable, groupSizeArgument];
  const canKeep =
    isOfAuthor(queue, topology) && kept.every((key) => keepable.includes(key) && !isUnlimited(found[key]));
  if (different.length === 0 || (kept.length > 0 && !canKeep)) return undefined;
  return {
    limits: Object.fromEntries(byPolicy.map((key) => [key.slice('x-'.length), declared[key]])),
    kept: kept
      .filter((key) => effective(key, declared) !== effective(key, found))
      .map((property) => ({
        what: `queue "${queue.name}"`,
        kind: 'kept',
        property,
        declared: declared[property],
        found: found[property],
      })),
  };
}

/** What an operator reads about a setting that a queue keeps. */
export function describeKept({ what, property, declared, found }: Difference): string {
  const [expected, got] = [declared, found].map((value) =>
    value === undefined ? 'none' : JSON.stringify(value),
  );
  return `${what} keeps ${property}: expected ${expected}, got ${got}, which no policy can change: delete it when it is empty, and apply again`;
}

function isPolicyEnough(key: string, declared: Values, found: Values): boolean {
  if (declared[key] === undefined) return false;
  if (found[key] === undefined) return true;
  return key !== overflowArgument && Number(declared[key]) < Number(found[key]);
}

/** RabbitMQ's -1: without it, a message that ends its process is never dead-lettered. */
const isUnlimited = (value: unknown): boolean => Number(value) < 0;

/** A full queue without the argument drops its oldest message. */
const effective = (key: string, values: Values): unknown =>
  values[key] ?? (key === overflowArgument ? 'drop-head' : undefined);

/** Whether the limits of a queue are settings of its author. Those of all other queues have a purpose of ours. */
function isOfAuthor({ name, retryOf, limitOf }: Queue, { partitioned = [] }: Topology): boolean {
  const isDivided = partitioned.some(({ queue }) => name === queue || name === workersQueue(queue));
  return retryOf === undefined && limitOf === undefined && !isDivided;
}
