import { z } from 'zod';
import { BrokerConnection } from '../amqp/connection.ts';
import { WarrenError } from '../base/errors.ts';
import { problemsOf } from '../base/schema-problems.ts';
import { deadExchange, deadLetters, defaultRetryDelays, type QueueSettings, retryName } from './names.ts';
import { deadLetterArguments, retryArguments, workArguments } from './queue-arguments.ts';

const feed = () => z.enum(['amazon-mq', 'adapter', 'worker']);

// Made where it is asked for: it takes its time, and a function that shows the queues needs it at its first call only.
const declared = () => {
  // RabbitMQ's limit for names is 255 bytes; `amq.` is the broker's own.
  const name = z
    .string()
    .min(1)
    .max(255)
    .refine((value) => !value.startsWith('amq.') && !value.startsWith('warren.'), {
      error: 'expected a name that does not start with "amq." or "warren.", which are reserved',
    });

  const binding = z.strictObject({
    exchange: name,
    routingKey: z.string().max(255).default(''),
  });

  const delays = z.array(z.int().min(1).max(86_400), { error: 'expected a list of whole seconds' }).min(1);

  /** A login of the broker, for `warren topology apply --users`. */
  const user = z.strictObject({
    /** Whose queues it consumes. */
    functions: z.array(z.string()).default([]),
    /** Queues that it only takes messages from: AWS's mapping does, for functions with a login of their own. */
    consumes: z.array(name).default([]),
    /** Exchanges. */
    publishes: z.array(name).default([]),
    /** Queues whose messages it works on later than their consumer, and lets fail as that one does. */
    setsAside: z.array(name).default([]),
    /** Whether it waits for answers, in a queue that the broker names. */
    asks: z.boolean().default(false),
    /** Whether it answers messages that name a queue for it; who serves a queue of RPC does anyway. */
    answers: z.boolean().default(false),
    /** Whether it reads dead letters and puts them back. */
    replays: z.boolean().default(false),
    /** Whether it may read the management API. */
    manages: z.boolean().default(false),
  });

  return z.strictObject({
    /** Who feeds deployed functions (`Feed`), or the variable of serverless that says so; default what the events say. */
    source: z.string().optional(),
    retryDelays: delays.default([...defaultRetryDelays]),
    /** The function that a schedule wakes up to feed the others, and from which queues; default all but those of RPC. */
    longPoll: z
      .strictObject({ function: z.string().min(1), queues: z.array(name).min(1).optional() })
      .optional(),
    exchanges: z
      .record(name, z.strictObject({ type: z.enum(['topic', 'fanout', 'direct', 'headers']) }))
      .default({}),
    queues: z
      .record(
        name,
        z.strictObject({
          kind: z.enum(['work', 'rpc']).default('work'),
          bindings: z.array(binding).default([]),
          /** Seconds; default those of the whole project. */
          retryDelays: delays.optional(),
          /** Seconds for which a message is tried again while a dependency is away. */
          maxAge: z.int().min(1).max(31_536_000).default(86_400),
          /** Calls of its function at the same time; on AWS it is one. */
          concurrency: z.int().min(1).max(100).default(1),
        }),
      )
      .default({}),
    users: z.record(z.string().regex(/^[\w-]+$/), user).default({}),
  });
};

/** Who feeds deployed functions: AWS's own mappings, our long poll on its schedule, or workers that run elsewhere. */
export type Feed = z.output<ReturnType<typeof feed>>;

/** `custom.warren` of serverless.yml, checked: what the project's author writes. */
export type DeclaredTopology = z.output<ReturnType<typeof declared>>;

export interface Exchange {
  name: string;
  type: string;
}

export interface Queue {
  name: string;
  arguments: Record<string, unknown>;
}

export interface Binding {
  queue: string;
  exchange: string;
  routingKey: string;
}

/** What is declared at the broker: the author's part, the retry queues and the dead letters. */
export interface Topology {
  exchanges: Exchange[];
  queues: Queue[];
  bindings: Binding[];
}

/**
 * The settings of each queue in `custom.warren`.
 *
 * @throws WarrenError ERR_TOPOLOGY that names every problem at once.
 */
export function queueSettings(section: unknown): Record<string, QueueSettings> {
  const { queues, retryDelays } = parseSection(section);
  return Object.fromEntries(
    Object.entries(queues).map(([queue, { maxAge, concurrency, retryDelays: own = retryDelays }]) => {
      return [queue, { retryDelays: own, maxAge, concurrency }];
    }),
  );
}

/** The kind of each queue in `custom.warren`; throws as `queueSettings`. */
export function queueKinds(section: unknown): Record<string, 'work' | 'rpc'> {
  const { queues } = parseSection(section);
  return Object.fromEntries(Object.entries(queues).map(([queue, { kind }]) => [queue, kind]));
}

/** What `custom.warren.users` says, and the exchanges there are to publish to; throws as `queueSettings`. */
export function userSettings(section: unknown): Pick<DeclaredTopology, 'users'> & { exchanges: string[] } {
  const { users, exchanges } = parseSection(section);
  return { users, exchanges: Object.keys(exchanges) };
}

/**
 * What `custom.warren.source` says.
 *
 * @param section with serverless's variables resolved.
 * @throws WarrenError ERR_TOPOLOGY for anything but one of the three.
 */
export function deployedFeed(section: unknown): Feed | undefined {
  const { source } = parseSection(section);
  if (source === undefined) return undefined;
  const result = feed().safeParse(source);
  if (result.success) return result.data;
  throw topologyError([`custom.warren.source: expected amazon-mq, adapter or worker, got "${source}"`]);
}

/**
 * What `custom.warren.longPoll` says.
 *
 * @returns the function and the queues it is to feed others from; undefined where there is no such function.
 * @throws WarrenError ERR_TOPOLOGY where it names a queue that is not declared.
 */
export function longPollSettings(section: unknown): { function: string; queues: string[] } | undefined {
  const { longPoll, queues } = parseSection(section);
  if (!longPoll) return undefined;
  // A caller doesn't wait for a schedule.
  const work = Object.keys(queues).filter((queue) => queues[queue]?.kind === 'work');
  const unknown = (longPoll.queues ?? []).filter((queue) => !Object.hasOwn(queues, queue));
  if (unknown.length > 0) {
    throw topologyError(unknown.map((queue) => `longPoll names queue "${queue}", which is not declared`));
  }
  return { function: longPoll.function, queues: longPoll.queues ?? work };
}

/**
 * Checks `custom.warren` against itself and expands it to what the broker is told.
 *
 * @param section the parsed section; where it is missing, only dead letters and retry queues come out.
 * @param consumed the queues that functions consume; each has to be declared.
 * @throws WarrenError ERR_TOPOLOGY that names every problem at once.
 */
export function compileTopology(section: unknown, consumed: readonly string[] = []): Topology {
  const parsed = parseSection(section);
  const { exchanges, queues } = parsed;
  // One queue for each delay, whoever asks for it.
  const own = Object.values(queueSettings(section)).flatMap((each) => each.retryDelays);
  const retryDelays = [...new Set([...parsed.retryDelays, ...own])].sort((a, b) => a - b);
  const problems = [
    ...Object.entries(queues).flatMap(([queue, { bindings }]) =>
      bindings
        .filter(({ exchange }) => !Object.hasOwn(exchanges, exchange))
        .map(({ exchange }) => `queue "${queue}" is bound to exchange "${exchange}", which is not declared`),
    ),
    ...consumed
      .filter((queue) => !Object.hasOwn(queues, queue))
      .map((queue) => `a function consumes queue "${queue}", which is not declared`),
  ];
  if (problems.length > 0) throw topologyError(problems);

  return {
    exchanges: [
      ...Object.entries(exchanges).map(([exchange, { type }]) => ({ name: exchange, type })),
      { name: deadExchange, type: 'topic' },
      ...retryDelays.map((seconds) => ({ name: retryName(seconds), type: 'fanout' })),
    ],
    queues: [
      { name: deadLetters, arguments: { 'x-queue-type': 'quorum' } },
      ...retryDelays.map((seconds) => ({ name: retryName(seconds), arguments: retryArguments(seconds) })),
      ...Object.entries(queues).map(([queue, { kind }]) => ({
        name: queue,
        arguments: kind === 'work' ? workArguments(queue, deadExchange) : { 'x-queue-type': 'classic' },
      })),
    ],
    bindings: [
      { queue: deadLetters, exchange: deadExchange, routingKey: '#' },
      ...retryDelays.map((seconds) => ({
        queue: retryName(seconds),
        exchange: retryName(seconds),
        routingKey: '',
      })),
      ...Object.entries(queues).flatMap(([queue, { bindings }]) =>
        bindings.map((each) => ({ queue, ...each })),
      ),
    ],
  };
}

function parseSection(section: unknown): DeclaredTopology {
  const result = declared().safeParse(section ?? {});
  if (result.success) return result.data;
  throw topologyError(problemsOf(result.error).map((problem) => `custom.warren.${problem}`));
}

/** The queues named by the `rabbitmq` events of a service's functions. */
export function consumedQueues(
  functions: Record<string, { events?: readonly unknown[] | undefined }>,
): string[] {
  const schema = rabbitmqEvent();
  return Object.values(functions).flatMap(({ events = [] }) =>
    events.flatMap((event) => {
      const parsed = schema.safeParse(event);
      return parsed.success ? [parsed.data.rabbitmq.queue] : [];
    }),
  );
}

/**
 * Declares a topology. It only ever adds: what is there with other properties stays, and is named with the difference.
 *
 * @throws WarrenError ERR_TOPOLOGY for such a difference; as `BrokerConnection.channel` where the broker is away.
 */
export async function applyTopology(url: string, topology: Topology): Promise<void> {
  const connection = new BrokerConnection({ url, name: 'warren topology apply' });
  try {
    const channel = await connection.channel();
    // A refused declaration closes the channel, and only this event tells why in the broker's own words.
    let refusal: Error | undefined;
    channel.on('error', (error: Error) => {
      refusal = error;
    });
    const declare = async (what: string, run: () => Promise<unknown>) => {
      await run().catch((cause: Error) => {
        const { message } = refusal ?? cause;
        throw new WarrenError('ERR_TOPOLOGY', `${what} can't be declared: ${message}`, { cause });
      });
    };
    const version = channel.connection.serverProperties.version;
    for (const { name, type } of topology.exchanges) {
      await declare(`exchange "${name}"`, () => channel.assertExchange(name, type, { durable: true }));
    }
    for (const queue of topology.queues) {
      const args = queue.name === deadLetters ? deadLetterArguments(version) : queue.arguments;
      await declare(`queue "${queue.name}"`, () =>
        channel.assertQueue(queue.name, { durable: true, arguments: args }),
      );
    }
    for (const { queue, exchange, routingKey } of topology.bindings) {
      await declare(`binding of "${queue}" to "${exchange}"`, () =>
        channel.bindQueue(queue, exchange, routingKey),
      );
    }
  } finally {
    await connection.close();
  }
}

const rabbitmqEvent = () => z.object({ rabbitmq: z.object({ queue: z.string() }) });

function topologyError(problems: string[]): WarrenError {
  return new WarrenError('ERR_TOPOLOGY', `the topology does not hold together:\n  ${problems.join('\n  ')}`);
}
