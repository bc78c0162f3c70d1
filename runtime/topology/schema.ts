import { z } from 'zod';
import { WarrenError } from '../base/errors.ts';
import { problemsUnder } from '../base/schema-problems.ts';
import { brokerFields } from './broker-settings.ts';
import { methodField } from './method-field.ts';
import { defaultMessageBytes, defaultRetryDelays } from './names.ts';
import { unresolvedProblems } from './unresolved.ts';

const feeds = ['amazon-mq', 'adapter', 'worker'] as const;

/** What feeds deployed functions: AWS's own mappings, our long poll on its schedule, or workers that run elsewhere. */
export type Feed = (typeof feeds)[number];

// RabbitMQ's limit for names is 255 bytes; `amq.` is reserved for the broker.
const nameField = () =>
  z
    .string()
    .min(1)
    .max(255)
    .refine((value) => !value.startsWith('amq.') && !value.startsWith('warren.'), {
      error: 'expected a name that does not start with "amq." or "warren.", which are reserved',
    });

const delaysField = () =>
  z.array(z.int().min(1).max(86_400), { error: 'expected a list of whole seconds' }).min(1);

/** A login of the broker, for `warren topology apply --users`. */
const userField = (name: ReturnType<typeof nameField>) =>
  z.strictObject({
    /** Functions that run with this login: it consumes their queues. */
    functions: z.array(z.string()).default([]),
    /** Queues that it only takes messages from, as AWS's mapping does for functions with a login of their own. */
    consumes: z.array(name).default([]),
    /** Exchanges. */
    publishes: z.array(name).default([]),
    /** Queues whose messages it handles later than their consumer, with the same rights for what fails. */
    setsAside: z.array(name).default([]),
    /** Whether it waits for replies, in a queue that the broker names. */
    asks: z.boolean().default(false),
    /** Whether it replies to messages with a reply address; a login that consumes an RPC queue may do so in any case. */
    answers: z.boolean().default(false),
    /** Whether it reads and replays dead letters. */
    replays: z.boolean().default(false),
    /** Whether it counts the messages and consumers of every queue, as `QueueStates` does. */
    counts: z.boolean().default(false),
    /** Whether it may read the management API. */
    manages: z.boolean().default(false),
  });

const scalar = () => z.union([z.string(), z.int(), z.boolean()]);

const exchangeField = (name: ReturnType<typeof nameField>) =>
  z.strictObject({
    /** Name at the broker; default its key. */
    name: name.optional(),
    type: z.enum(['topic', 'fanout', 'direct', 'headers']),
    /** Declared exchange that gets the messages which no binding of this one matches. */
    alternateExchange: name.optional(),
    /** Further arguments of the exchange, for the broker and its plugins. */
    arguments: z.record(z.string().min(1).max(255), scalar()).optional(),
  });

const bindingField = (name: ReturnType<typeof nameField>) =>
  z.strictObject({
    exchange: name,
    routingKey: z.string().max(255).default(''),
    /** For an exchange of type `headers`: `x-match`, and the headers to match; null matches any value of a header. */
    arguments: z.record(z.string().min(1).max(255), z.union([scalar(), z.null()])).optional(),
  });

const queueField = (name: ReturnType<typeof nameField>) =>
  z.strictObject({
    /** Name at the broker; default its key. */
    name: name.optional(),
    kind: z.enum(['work', 'rpc']).default('work'),
    bindings: z.array(bindingField(name)).default([]),
    /** Seconds; default those of the whole project. */
    retryDelays: delaysField().optional(),
    /** Seconds for which a message is retried while a dependency is unavailable. */
    maxAge: z.int().min(1).max(31_536_000).default(86_400),
    /** Calls of its function at a time, default 1, for `rpc` 10; on AWS it is one. */
    concurrency: z.int().min(1).max(100).optional(),
    /** For `rpc`: times that a call which was begun before may be made again, for methods whose repetition does no harm. */
    redeliveries: z.int().min(0).max(20).default(0),
    /** Bytes of the body and the headers of a message. A larger one is dead-lettered unread. */
    maxMessageBytes: z
      .int()
      .min(1)
      .max(128 * 1024 ** 2)
      .default(defaultMessageBytes),
    ...brokerFields(),
  });

/** Replaces each key by the `name`, if there is one: serverless resolves variables in values, and not in keys. */
function byName<T extends { name?: string | undefined }>(
  declared: Readonly<Record<string, T>>,
  context: z.core.$RefinementCtx,
): Record<string, Omit<T, 'name'>> {
  const named = new Map<string, Omit<T, 'name'>>();
  for (const [key, { name = key, ...settings }] of Object.entries(declared)) {
    if (named.has(name)) {
      context.addIssue({
        code: 'custom',
        path: [key],
        message: `expected a unique name, got "${name}" again`,
      });
    }
    named.set(name, settings);
  }
  return Object.fromEntries(named);
}

// A function, because making the schema takes time: a function that shows the queues needs it at its first call only.
const sectionSchema = () => {
  const name = nameField();
  return z.strictObject({
    source: z.string().optional(),
    retryDelays: delaysField().default([...defaultRetryDelays]),
    /** Whether the first, short retries wait in their queue, without a copy, if the broker can (RabbitMQ 4.3.1 and later). */
    retryInQueue: z.boolean().default(false),
    /** Whether the dead letters have an index in a stream. */
    deadLetterIndex: z.boolean().default(false),
    /** The function that a schedule starts to feed the others, and from which queues; default every queue but those of RPC. */
    longPoll: z
      .strictObject({ function: z.string().min(1), queues: z.array(name).min(1).optional() })
      .optional(),
    exchanges: z.record(name, exchangeField(name)).transform(byName).default({}),
    queues: z.record(name, queueField(name)).transform(byName).default({}),
    /** The methods that HTTP may reach; default none. */
    methods: z.record(z.string().regex(/^[\w.-]{1,200}$/), methodField()).default({}),
    users: z.record(z.string().regex(/^[\w-]+$/), userField(name)).default({}),
  });
};

/** `custom.warren` of serverless.yml, checked: what the author of a project writes. */
export type Section = z.output<ReturnType<typeof sectionSchema>>;

/**
 * Checks `custom.warren`. Call it once, when serverless.yml or a manifest is read, and pass the result on.
 *
 * @param section the value as it was read; undefined for a project without it.
 * @throws WarrenError ERR_TOPOLOGY that lists every problem at once.
 */
export function readSection(section: unknown): Section {
  const unresolved = unresolvedProblems(withoutSource(section), 'custom.warren');
  if (unresolved.length > 0) throw topologyError(unresolved);
  const result = sectionSchema().safeParse(section ?? {});
  if (result.success) return result.data;
  throw topologyError(problemsUnder('custom.warren', result.error, section));
}

/** A deployment resolves `source`; the topology does not depend on it. */
function withoutSource(section: unknown): unknown {
  if (typeof section !== 'object' || section === null) return section;
  return { ...section, source: undefined };
}

/**
 * What feeds deployed functions, as `custom.warren.source` specifies; undefined without it.
 *
 * @param section with serverless's variables resolved.
 * @throws WarrenError ERR_TOPOLOGY for anything but one of the three.
 */
export function deployedFeed({ source }: Section): Feed | undefined {
  if (source === undefined) return undefined;
  const known = feeds.find((each) => each === source);
  if (known !== undefined) return known;
  throw topologyError([`custom.warren.source: expected amazon-mq, adapter or worker, got "${source}"`]);
}

export function topologyError(problems: readonly string[]): WarrenError {
  return new WarrenError('ERR_TOPOLOGY', `the topology is inconsistent:\n  ${problems.join('\n  ')}`);
}
