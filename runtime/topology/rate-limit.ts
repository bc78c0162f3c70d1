import * as z from 'zod';
import { maxNameBytes } from './names.ts';
import { limitQueues, type RateLimit } from './token-names.ts';

const unitMs = { second: 1000, minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;
const form = new RegExp(`^([1-9]\\d{0,6})/(?:([1-9]\\d{0,6}) )?(${Object.keys(unitMs).join('|')})s?$`);

/** Each message of a period is a token at the broker. */
const maxCount = 10_000;
/** A token is delivered, and passes two queues; brokers on two cores manage about a thousand in a second. */
const maxPerSecond = 200;
/** RabbitMQ keeps a time to live as 32 bits. */
const maxPeriodMs = 24 * unitMs.day;

/** The field `limit` of a queue. */
export const limitField = () =>
  z
    .string()
    .regex(form, { error: 'expected a number and a time, such as 100/minute or 5/3 seconds' })
    .transform(readLimit)
    .optional()
    .describe(
      'Messages that all workers together hand to the function in a time, such as `100/minute` or `5/3 seconds`. Only for `work`.',
    );

function readLimit(text: string): RateLimit {
  const [, count, times = 1, unit] = form.exec(text) ?? [];
  return { count: Number(count), periodMs: Number(times) * unitMs[unit as keyof typeof unitMs] };
}

/** Settings that a limit excludes or needs. */
interface LimitSettings {
  kind: string;
  limit?: RateLimit | undefined;
  orderBy?: string | undefined;
  singleActiveConsumer: boolean;
}

/** Settings that contradict the limit of a queue. */
export function limitProblems(
  queue: string,
  { kind, limit, orderBy, singleActiveConsumer }: LimitSettings,
): string[] {
  if (!limit) return [];
  const { count, periodMs } = limit;
  const wrong = (text: string) => `queue "${queue}": limit: ${text}`;
  const perSecond = (count * 1000) / periodMs;
  const tooMany = count > maxCount;
  const longest = Buffer.byteLength(limitQueues(queue, limit).consumers);
  return [
    ...(kind === 'work' ? [] : [wrong(`expected no value for kind ${kind}`)]),
    ...(orderBy === undefined ? [] : [wrong(`expected no value with orderBy, got ${orderBy}`)]),
    ...(singleActiveConsumer ? [wrong('expected no value with singleActiveConsumer, got true')] : []),
    ...(tooMany ? [wrong(`expected at most ${maxCount} in a time, got ${count}; use a shorter time`)] : []),
    ...(perSecond > maxPerSecond
      ? [wrong(`expected at most ${maxPerSecond} in a second, got ${Math.round(perSecond)}`)]
      : []),
    ...(periodMs > maxPeriodMs
      ? [wrong(`expected at most 24 days, got ${Math.round(periodMs / unitMs.day)}`)]
      : []),
    ...(longest > maxNameBytes
      ? [
          wrong(
            `expected a name of at most ${maxNameBytes} bytes for its tokens, got ${longest}; shorten that of the queue`,
          ),
        ]
      : []),
  ];
}
