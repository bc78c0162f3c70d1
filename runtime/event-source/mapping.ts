import type { ConsumeMessage } from 'amqplib';
import * as z from 'zod';
import { rawHeaderBytes } from '../amqp/raw-headers.ts';
import { WarrenError } from '../base/errors.ts';
import { type Problem, ProblemsError } from '../base/problems.ts';
import { problemsUnder } from '../base/schema-problems.ts';
import type { FailurePolicy } from '../messages/failure-policy.ts';
import { defaultMessageBytes, type KeySettings, type QueueKind } from '../topology/names.ts';
import { queueSettings } from '../topology/queue-settings.ts';
import { readSection, type Section } from '../topology/schema.ts';
import type { RateLimit } from '../topology/token-names.ts';
import { resolveAdvice } from '../topology/unresolved.ts';
import { compileFilter } from './filter.ts';

/** One queue that feeds one function, from a `rabbitmq` event of serverless.yml. */
export interface Mapping {
  /** Key of the function in serverless.yml. */
  functionName: string;
  queue: string;
  vhost: string;
  arn: string;
  /** Messages in a batch, default 100. */
  batchSize: number;
  /** Milliseconds to wait for a batch to fill, default 500. */
  windowMs: number;
  /** AWS's filters on `data`; a message that matches none of them is acknowledged and not seen by the function. */
  filterPatterns?: readonly unknown[] | undefined;
  /** Calls in flight at the same time, default 1, which is AWS's. */
  concurrency?: number | undefined;
  /** Kind of the queue, default `work`. Each call of an `rpc` queue is a call of the function of its own. */
  kind?: QueueKind | undefined;
  /** For `rpc`: times that a call which was begun before may be made again, default 0. */
  redeliveries?: number | undefined;
  /** Decides about a message that failed without a verdict of its function; default the policy in the environment. */
  policy?: FailurePolicy | undefined;
  /** Bytes of the body and the headers of a message; a larger one is dead-lettered unread. Default 1 MiB. */
  maxMessageBytes?: number | undefined;
  /** Whether the broker feeds one consumer of the queue at a time. Its order is then kept over a rolling stop. */
  singleActiveConsumer?: boolean | undefined;
  /** If the queue keeps the order of each key (`orderBy`), or limits for each (`perKey`). */
  order?: KeySettings | undefined;
  /** Messages that all workers together hand to the function in a time (`limit`); default any number. */
  limit?: RateLimit | undefined;
  /** Whether retries may wait in the queue, if the broker has the policy for it (`custom.warren.retryInQueue`). Default false. */
  retryInQueue?: boolean | undefined;
}

/** Bytes of a message that the consumer of a mapping accepts. */
export function maxBytesOf({ maxMessageBytes = defaultMessageBytes }: Mapping): number {
  return maxMessageBytes;
}

/** Bytes of a message: its body, and its headers as they arrived. */
export function sizeOf({ content, properties }: ConsumeMessage): number {
  return content.length + rawHeaderBytes(properties);
}

/** A function of serverless.yml, as far as the hosts read it. */
export interface FunctionDefinition {
  name?: string | undefined;
  timeout?: number | undefined;
  events?: readonly unknown[] | undefined;
}

// With a variable in its place the host would wait for a queue of that name.
function resolvedName() {
  return z
    .string()
    .min(1)
    .refine((name) => !name.includes('${'), {
      error: ({ input }) => `expected a name without variables, got "${input}"; ${resolveAdvice}`,
    });
}

/** The keys of serverless's own `rabbitmq` event; it refuses others. */
export const rabbitmqEvent = z.strictObject({
  arn: z
    .string()
    .default('arn:aws:mq:us-east-1:000000000000:broker:local:b-00000000-0000-4000-8000-000000000000'),
  basicAuthArn: z.unknown().optional().describe('ARN of the secret with the login. Only AWS reads it.'),
  queue: resolvedName().describe('A queue of custom.warren.'),
  virtualHost: resolvedName()
    .refine((name) => !name.includes('::'), {
      error: 'expected a name without "::", which separates queue and virtual host in an event',
    })
    .default('/'),
  batchSize: z.int().min(1).max(10_000).default(100).describe('Maximum number of messages in a call.'),
  maximumBatchingWindow: z
    .number()
    .min(0)
    .max(300)
    .default(0.5)
    .describe('Seconds for which a batch may wait until it is full.'),
  enabled: z.boolean().default(true),
  filterPatterns: z
    .array(z.unknown())
    .optional()
    .describe('A message that matches none of these patterns is acknowledged without a call.'),
});

/**
 * Reads the queues that feed functions from the `rabbitmq` events of a resolved serverless.yml. Events that are not `enabled`
 * are left out.
 *
 * @param section `custom.warren`, which has the concurrency of each queue.
 * @throws WarrenError ERR_CONFIG that names each wrong event and its problem.
 */
export function readMappings(
  functions: Record<string, FunctionDefinition>,
  section: Section = readSection(undefined),
): Mapping[] {
  const settings = queueSettings(section);
  const problems: Problem[] = [];
  const mappings = Object.entries(functions).flatMap(([functionName, { events = [] }]) =>
    events.filter(isRabbitmq).flatMap((event, nth): Mapping[] => {
      const path = ['functions', functionName, 'events', { having: 'rabbitmq', nth }, 'rabbitmq'];
      const result = rabbitmqEvent.safeParse(event.rabbitmq);
      if (!result.success) {
        const found = problemsUnder([], result.error, event.rabbitmq, '', rabbitmqEvent);
        const place = `functions.${functionName}: rabbitmq`;
        problems.push(
          ...found.map((each) => ({ path: [...path, ...each.path], text: `${place}: ${each.text}` })),
        );
        return [];
      }
      const { arn, queue, virtualHost, batchSize, maximumBatchingWindow, enabled, filterPatterns } =
        result.data;
      const wrong = filterProblems(filterPatterns ?? []);
      problems.push(...wrong.map((text) => ({ path, text: `functions.${functionName}: rabbitmq: ${text}` })));
      if (!enabled) return [];
      const own = settings[queue];
      return [
        {
          functionName,
          queue,
          vhost: virtualHost,
          arn,
          batchSize,
          windowMs: maximumBatchingWindow * 1000,
          ...(filterPatterns && { filterPatterns }),
          concurrency: own?.concurrency ?? 1,
          ...(own && {
            policy: { delays: own.retryDelays, maxAge: own.maxAge },
            ...(own.kind === 'rpc' && { kind: own.kind, redeliveries: own.redeliveries }),
            maxMessageBytes: own.maxMessageBytes,
            singleActiveConsumer: own.singleActiveConsumer,
            ...(own.order && { order: own.order }),
            ...(own.limit && { limit: own.limit }),
            ...(section.retryInQueue && !own.order && { retryInQueue: true }),
          }),
        },
      ];
    }),
  );
  if (problems.length > 0) throw new ProblemsError('ERR_CONFIG', problems);
  return mappings;
}

function isRabbitmq(event: unknown): event is { rabbitmq: unknown } {
  return typeof event === 'object' && event !== null && 'rabbitmq' in event;
}

function filterProblems(patterns: readonly unknown[]): string[] {
  try {
    compileFilter(patterns);
    return [];
  } catch (error) {
    if (error instanceof WarrenError && error.code === 'ERR_CONFIG') return error.message.split('\n');
    throw error;
  }
}
