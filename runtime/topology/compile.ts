import { z } from 'zod';
import { type BindingArguments, bindingProblems } from './bindings.ts';
import { deadExchange, deadLetters, retryName } from './names.ts';
import { retryArguments, workArguments } from './queue-arguments.ts';
import { queueSettings } from './queue-settings.ts';
import { type Section, topologyError } from './schema.ts';

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
  /** Only for an exchange of type `headers`. */
  arguments?: BindingArguments | undefined;
}

/** What is declared at the broker: the author's part, the retry queues and the dead letters. */
export interface Topology {
  exchanges: Exchange[];
  queues: Queue[];
  bindings: Binding[];
}

/**
 * Checks `custom.warren` against itself and expands it to what is declared at the broker.
 *
 * @param consumed the queues that functions consume; each has to be declared.
 * @throws WarrenError ERR_TOPOLOGY that lists every problem at once.
 */
export function compileTopology(section: Section, consumed: readonly string[] = []): Topology {
  const problems = problemsIn(section, consumed);
  if (problems.length > 0) throw topologyError(problems);
  const { exchanges, queues } = section;
  // One queue for each delay, however many queues use it.
  const own = Object.values(queueSettings(section)).flatMap((each) => each.retryDelays);
  const retryDelays = [...new Set([...section.retryDelays, ...own])].sort((a, b) => a - b);
  return {
    exchanges: [
      ...Object.entries(exchanges).map(([exchange, { type }]) => ({ name: exchange, type })),
      { name: deadExchange, type: 'topic' },
      ...retryDelays.map((seconds) => ({ name: retryName(seconds), type: 'fanout' })),
    ],
    queues: [
      { name: deadLetters, arguments: { 'x-queue-type': 'quorum' } },
      ...retryDelays.map((seconds) => ({ name: retryName(seconds), arguments: retryArguments(seconds) })),
      ...Object.entries(queues).map(([queue, { kind, singleActiveConsumer }]) => ({
        name: queue,
        arguments:
          kind === 'work'
            ? workArguments(queue, deadExchange, singleActiveConsumer)
            : { 'x-queue-type': 'classic' },
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

function problemsIn({ exchanges, queues }: Section, consumed: readonly string[]): string[] {
  return [
    ...Object.entries(queues).flatMap(([queue, { bindings }]) =>
      bindings.flatMap((binding) => bindingProblems(queue, binding, exchanges)),
    ),
    ...consumed
      .filter((queue) => !Object.hasOwn(queues, queue))
      .map((queue) => `a function consumes queue "${queue}", which is not declared`),
  ];
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

const rabbitmqEvent = () => z.object({ rabbitmq: z.object({ queue: z.string() }) });
