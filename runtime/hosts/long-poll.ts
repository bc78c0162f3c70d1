import { setTimeout as pause } from 'node:timers/promises';
import type { Context } from 'aws-lambda';
import { z } from 'zod';
import { WarrenError } from '../base/errors.ts';
import { type Log, silentLog } from '../base/log.ts';
import { problemsOf } from '../base/schema-problems.ts';
import { EventSource } from '../event-source/event-source.ts';
import type { Invoke } from '../event-source/invoke.ts';
import type { Mapping } from '../event-source/mapping.ts';

/** A mapping as a long-poll function needs it: the deployed function's name and its time-out go with it. */
export type PolledMapping = Mapping & { invokeAs: string; timeoutMs: number };

export interface LongPollOptions {
  url: string | readonly string[];
  mappings: readonly PolledMapping[];
  invoke: (mapping: PolledMapping) => Invoke;
  log?: Log;
  /** Ends when nothing has come for so long, in milliseconds, default 5000. */
  idleMs?: number;
  /**
   * Takes no more messages when no more than this is left, in milliseconds; default as long as the longest call it makes may
   * take and 5000 more, and half of its own time at most.
   */
  reserveMs?: number;
}

export interface LongPollResult {
  messages: number;
  /** Whether all that was taken is done; what is not is back in its queue. */
  done: boolean;
}

/**
 * Makes a function that a schedule wakes up: it feeds others from the queues of a broker that nothing else on AWS can
 * reach, for as long as it has time left or until the queues are empty, and hands over to the next one. No process stands
 * in between; a message waits for the next run at most.
 */
export function createLongPoll(options: LongPollOptions) {
  const { url, mappings, invoke, log = silentLog, idleMs = 5000 } = options;
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
      ...{ url, mappings, log },
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
    const idle = () => inFlight === 0 && performance.now() - lastCall > idleMs;
    while (context.getRemainingTimeInMillis() > reserveMs && !idle()) await pause(100);
    // A second to tell of it.
    const done = await source.stop({
      deadlineMs: Math.max(0, context.getRemainingTimeInMillis() - 1000),
    });
    log.info({ messages, done }, 'long poll ended');
    return { messages, done };
  };
}

/** The variable of the environment in which the plugin tells a long-poll function what to feed from where. */
export const mappingsVariable = 'WARREN_MAPPINGS';

// What is left out is AWS's default; the broker is that of the mapping before.
const defaults = { vhost: '/', batchSize: 100, windowMs: 500, concurrency: 1 };
const polledMappings = z.array(
  z.object({
    ...{ functionName: z.string(), invokeAs: z.string(), queue: z.string(), arn: z.string().optional() },
    vhost: z.string().default(defaults.vhost),
    batchSize: z.int().default(defaults.batchSize),
    windowMs: z.number().default(defaults.windowMs),
    timeoutMs: z.number(),
    concurrency: z.int().default(defaults.concurrency),
    filterPatterns: z.array(z.unknown()).optional(),
  }),
);

/** What the variable holds, as short as it goes: Lambda takes 4 KB of variables in all. */
export function writePolledMappings(mappings: readonly PolledMapping[]): string {
  const short = mappings.map((mapping, n) => {
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
 * @throws WarrenError ERR_CONFIG where the variable is missing or holds anything else.
 */
export function readPolledMappings(env: Record<string, string | undefined> = process.env): PolledMapping[] {
  const result = polledMappings.safeParse(parse(env[mappingsVariable]));
  if (result.success) {
    let last = '';
    return result.data.map(({ arn = last, ...mapping }) => {
      last = arn;
      return { ...mapping, arn };
    });
  }
  throw new WarrenError('ERR_CONFIG', `${mappingsVariable}: ${problemsOf(result.error).join('; ')}`);
}

function parse(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    throw new WarrenError('ERR_CONFIG', `${mappingsVariable}: expected JSON; set custom.warren.longPoll`);
  }
}
