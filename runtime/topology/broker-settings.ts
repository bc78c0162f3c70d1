import * as z from 'zod';

/** RabbitMQ keeps a time to live in milliseconds as 32 bits; this is 24 days. */
const maxTtlSeconds = 2_073_600;

/** The settings of a queue that the broker applies, as fields of its schema. Each becomes an argument of the queue. */
export const brokerFields = () => ({
  priorities: z
    .boolean()
    .optional()
    .describe(
      'Whether messages are delivered in the order of their property `priority`. RabbitMQ 4.0 and later, only for `work`.',
    ),
  singleActiveConsumer: z
    .boolean()
    .default(false)
    .describe('Whether the broker feeds one consumer at a time, so that the queue keeps its order.'),
  messageTtl: z
    .int()
    .min(1)
    .max(maxTtlSeconds)
    .optional()
    .describe('Seconds for which a message may wait: then it is dead-lettered, or for `rpc` dropped.'),
  maxLength: z.int().min(1).max(1_000_000_000).optional().describe('Maximum number of waiting messages.'),
  maxLengthBytes: z
    .int()
    .min(1)
    .max(Number.MAX_SAFE_INTEGER)
    .optional()
    .describe('Maximum size of the bodies of all waiting messages, in bytes.'),
  overflow: z
    .enum(['reject-publish', 'drop-head'])
    .optional()
    .describe(
      'What a full queue does with another message; default `reject-publish` for `work`, `drop-head` for `rpc`.',
    ),
  initialGroupSize: z
    .int()
    .min(1)
    .max(15)
    .optional()
    .describe('Number of replicas at the declaration; default that of the broker. Only for `work`.'),
  deliveryLimit: z
    .int()
    .min(1)
    .max(1000)
    .optional()
    .describe(
      'Deliveries that may end without an answer before the broker dead-letters a message, default 20. Only for `work`.',
    ),
});

/** The settings of a queue that the broker applies. */
export type BrokerSettings = Partial<z.output<z.ZodObject<ReturnType<typeof brokerFields>>>>;

const workOnly = ['priorities', 'initialGroupSize', 'deliveryLimit'] as const;

/** Settings that contradict the kind of their queue. */
export function settingProblems(queue: string, settings: BrokerSettings & { kind: string }): string[] {
  if (settings.kind === 'work') {
    // At-least-once dead-lettering requires it, and a dropped message would be lost.
    if (settings.overflow !== 'drop-head') return [];
    return [`queue "${queue}": overflow: expected reject-publish for kind work, got drop-head`];
  }
  return workOnly
    .filter((name) => settings[name] !== undefined)
    .map((name) => `queue "${queue}": ${name}: expected no value for kind ${settings.kind}`);
}

/** The arguments of the settings that are given. */
export function settingArguments(settings: BrokerSettings): Record<string, unknown> {
  const { messageTtl, maxLength, maxLengthBytes, overflow, initialGroupSize, deliveryLimit } = settings;
  const { singleActiveConsumer } = settings;
  const all = {
    'x-single-active-consumer': singleActiveConsumer || undefined,
    'x-message-ttl': messageTtl === undefined ? undefined : messageTtl * 1000,
    'x-max-length': maxLength,
    'x-max-length-bytes': maxLengthBytes,
    'x-overflow': overflow,
    'x-quorum-initial-group-size': initialGroupSize,
    'x-delivery-limit': deliveryLimit,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** Arguments that a policy of the same name without `x-` can lower. */
export const limitArguments: readonly string[] = [
  'x-message-ttl',
  'x-max-length',
  'x-max-length-bytes',
  'x-delivery-limit',
];

/** What a full queue does. A policy can add it to a queue that was declared without it. */
export const overflowArgument = 'x-overflow';

/** Number of replicas at the declaration, which neither an argument nor a policy changes later. */
export const groupSizeArgument = 'x-quorum-initial-group-size';

/** Advice for a queue that exists with other arguments, because none of them can be changed. */
export const differenceAdvice =
  'a queue keeps its arguments: delete it when it and its partitions, if it had any, are empty, and apply again; if AMQP_MANAGEMENT_URL is set, apply lowers or adds a limit by a policy, and goes on if that is all that differs';
