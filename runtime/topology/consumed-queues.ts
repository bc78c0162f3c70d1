import * as z from 'zod';
import type { PathPart, Problem } from '../base/problems.ts';

type Functions = Readonly<Record<string, { events?: readonly unknown[] | undefined }>>;

/** A queue, the function that consumes it, and where serverless.yml names it. */
export interface ConsumedQueue {
  queue: string;
  functionName: string;
  path: readonly PathPart[];
}

/** The `rabbitmq` events of a service's functions. */
export function queueEvents(functions: Functions): ConsumedQueue[] {
  const schema = rabbitmqEvent();
  return Object.entries(functions).flatMap(([functionName, { events = [] }]) =>
    events.filter(isRabbitmq).flatMap((event, nth) => {
      const parsed = schema.safeParse(event);
      const path = ['functions', functionName, 'events', { having: 'rabbitmq', nth }, 'rabbitmq', 'queue'];
      return parsed.success ? [{ queue: parsed.data.rabbitmq.queue, functionName, path }] : [];
    }),
  );
}

/** The queues named by the `rabbitmq` events of a service's functions. */
export const consumedQueues = (functions: Functions): string[] =>
  queueEvents(functions).map(({ queue }) => queue);

/** The problem of a consumed queue, given by its name or with its event, that is not declared. */
export function consumedProblems(consumed: string | ConsumedQueue, queues: object): Problem[] {
  const { queue, functionName, path } =
    typeof consumed === 'string'
      ? { queue: consumed, functionName: undefined, path: ['functions'] }
      : consumed;
  if (Object.hasOwn(queues, queue)) return [];
  const name = functionName === undefined ? 'a function' : `functions.${functionName}`;
  return [{ path, text: `${name} consumes queue "${queue}", which is not declared` }];
}

const isRabbitmq = (event: unknown) => typeof event === 'object' && event !== null && 'rabbitmq' in event;

const rabbitmqEvent = () => z.object({ rabbitmq: z.object({ queue: z.string() }) });
