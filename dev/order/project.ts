import type { Topology } from '../../runtime/topology/compile.ts';
import { type Project as CourseProject, makeProject } from '../course/project.ts';

export interface Project extends CourseProject {
  /** The queues with the messages. */
  queues: readonly string[];
}

export const exchange = 'shop';
export const queue = 'orders';

export interface OrderProjectOptions {
  amqpUrl: string;
  /** Whether the queue keeps the order of each customer. */
  ordered: boolean;
  /** Changes what is declared at the broker. */
  change?: ((topology: Topology) => Topology) | undefined;
}

/** Writes the project, and declares its queue. */
export async function makeOrderProject({ amqpUrl, ordered, change }: OrderProjectOptions): Promise<Project> {
  const warren = {
    retryDelays: [1],
    exchanges: { [exchange]: { type: 'topic' } },
    queues: {
      [queue]: {
        concurrency: 4,
        bindings: [{ exchange, routingKey: 'order.*' }],
        ...(ordered && { orderBy: 'header.customer', partitions: 8 }),
      },
    },
  };
  const own = { course: 'order', name: 'handle', queue, batchSize: 20, warren };
  const project = await makeProject({ ...own, amqpUrl, change });
  const names = project.topology.queues.map(({ name }) => name);
  return { ...project, queues: names.filter((name) => name.startsWith(queue)) };
}
