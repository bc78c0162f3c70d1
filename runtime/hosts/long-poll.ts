import { setTimeout as pause } from 'node:timers/promises';
import type { Context } from 'aws-lambda';
import * as z from 'zod';
import { WarrenError } from '../base/errors.ts';
import { defaultLog, type Log } from '../base/log.ts';
import { checkNumbers } from '../base/numbers.ts';
import { problemsOf } from '../base/schema-problems.ts';
import { EventSource, type EventSourceOptions } from '../event-source/event-source.ts';
import type { Invoke } from '../event-source/invoke.ts';
import type { Mapping } from '../event-source/mapping.ts';
import { defaultMessageBytes } from '../topology/names.ts';

/** A mapping with the deployed function's name and its time limit. */
export type PolledMapping = Mapping & { invokeAs: string; timeoutMs: number };

export interface LongPollOptions {
  url: string | readonly string[];
  /** Reads the URLs again after the broker refused the login; default they never change. */
  renewUrl?: EventSourceOptions['renewUrl'];
  mappings: readonly PolledMapping[];
  invoke: (mapping: PolledMapping) => Invoke;
  log?: Log;
  /** Ends after this many milliseconds without a call, default 5000. */
  idleMs?: number;
  /**
   * Takes no more messages when this much of its own time is left, in milliseconds. Default: the time limit of the slowest
   * function plus 5000, but at most half of its own time.
   */
  reserveMs?: number;
}

export interface LongPollResult {
  messages: number;
  /** Whether all calls ended in time; if not, their messages are back in their queues. */
  done: boolean;
}

/**
 * Makes a function for a schedule: it feeds other functions from the queues of a broker that nothing else on AWS can reach,
 * until its time is over or the queues are empty, and the next run continues. There is no permanent process; a message waits at
 * most for the next run.
 *
 * @throws WarrenError ERR_CONFIG if a number is wrong.
 */
export function createLongPoll(options: LongPollOptions) {
  checkNumbers(options, { idleMs: { least: 0 }, reserveMs: { least: 0 } });
  const { url, renewUrl, mappings, invoke, log = defaultLog(), idleMs = 5000 } = options;
  const longestMs = Math.max(0, ...mappings.map(({ timeoutMs }) => timeoutMs));
  return async (
    _event: unknown,
    context: Pick<Context, 'getRemainingTimeInMillis'>,
  ): Promise<LongPollResult> => {
    const { reserveMs = Math.min(longestMs + 5000, context.getRemainingTimeInMillis() / 2) } = options;
    let messages = 0;
    let inFlight = 0;
    let lastCall = performance.now();
    const source = new EventSource({
      url,
      renewUrl,
      mappings,
      log,
      invoke: (mapping) => invoke(mapping as PolledMapping),
      observer: {
        calls(_mapping, change) {
          inFlight += change;
          lastCall = performance.now();
        },
        batch(_mapping, batch) {
          if (batch.outcome === 'done') messages += batch.messages;
        },
      },
    });
    await source.start();
    // The next run would count the attempts of a message that waits for its retry anew, and wait for the limit of a key as long again.
    const isIdle = () => inFlight === 0 && !source.awaitsTurns && performance.now() - lastCall > idleMs;
    while (context.getRemainingTimeInMillis() > reserveMs && !isIdle()) await pause(100);
    // One second is left for the result and the log line.
    const done = await source.stop({
      deadlineMs: Math.max(0, context.getRemainingTimeInMillis() - 1000),
    });
    log.info({ messages, done }, 'long poll ended');
    return { messages, done };
  };
}

/** The environment variable through which the plugin passes a long-poll function its mappings. */
export const mappingsVariable = 'WARREN_MAPPINGS';

// A field that is left out has AWS's default; the broker is that of the previous mapping.
const defaults = {
  vhost: '/',
  batchSize: 100,
  windowMs: 500,
  concurrency: 1,
  kind: 'work' as const,
  maxMessageBytes: defaultMessageBytes,
  singleActiveConsumer: false,
};
const rateLimit = z.object({ count: z.int(), periodMs: z.int() });
const polledMappings = z.array(
  z.object({
    functionName: z.string(),
    invokeAs: z.string(),
    queue: z.string(),
    arn: z.string().optional(),
    vhost: z.string().default(defaults.vhost),
    batchSize: z.int().default(defaults.batchSize),
    windowMs: z.number().default(defaults.windowMs),
    timeoutMs: z.number(),
    concurrency: z.int().default(defaults.concurrency),
    kind: z.enum(['work', 'rpc']).optional(),
    redeliveries: z.int().optional(),
    maxMessageBytes: z.int().optional(),
    singleActiveConsumer: z.boolean().optional(),
    order: z
      .object({
        by: z.string(),
        partitions: z.int(),
        deliveryLimit: z.int().optional(),
        perKey: z.object({ concurrency: z.int().optional(), limit: rateLimit.optional() }).optional(),
      })
      .optional(),
    limit: rateLimit.optional(),
    filterPatterns: z.array(z.unknown()).optional(),
  }),
);

/** The value of the variable, as short as possible: Lambda takes 4 KB of variables in all. */
export function writePolledMappings(mappings: readonly PolledMapping[]): string {
  // The policies of all queues are in a variable of their own.
  const short = mappings.map(({ policy: _, ...mapping }, n) => {
    const common = { ...defaults, arn: mappings[n - 1]?.arn };
    return Object.fromEntries(
      Object.entries(mapping).filter(([key, value]) => common[key as keyof typeof common] !== value),
    );
  });
  return JSON.stringify(short);
}

/**
 * Reads what the plugin wrote.
 *
 * @throws WarrenError ERR_CONFIG if the variable is missing or has any other content.
 */
export function readPolledMappings(env: Record<string, string | undefined> = process.env): PolledMapping[] {
  const value = parse(env[mappingsVariable]);
  const result = polledMappings.safeParse(value);
  if (result.success) {
    let last = '';
    return result.data.map(({ arn = last, ...mapping }) => {
      last = arn;
      return { ...mapping, arn };
    });
  }
  throw new WarrenError(
    'ERR_CONFIG',
    `${mappingsVariable}: ${problemsOf(result.error, '', value).join('; ')}`,
  );
}

function parse(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    throw new WarrenError('ERR_CONFIG', `${mappingsVariable}: expected JSON; set custom.warren.longPoll`);
  }
}
