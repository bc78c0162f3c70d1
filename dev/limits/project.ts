import type { Topology } from '../../runtime/topology/compile.ts';
import { makeProject, type Project } from '../course/project.ts';

export const exchange = 'sms';
export const queue = 'texts';

export interface LimitsProjectOptions {
  amqpUrl: string;
  /** Of the queue, such as its limit. */
  settings: object;
  /** Changes what is declared at the broker. */
  change?: ((topology: Topology) => Topology) | undefined;
}

/** Writes the project, and declares its queue. */
export function makeLimitsProject({ amqpUrl, settings, change }: LimitsProjectOptions): Promise<Project> {
  const bindings = [{ exchange, routingKey: 'text.*' }];
  const warren = {
    retryDelays: [1],
    exchanges: { [exchange]: { type: 'topic' } },
    queues: { [queue]: { ...settings, bindings } },
  };
  return makeProject({ course: 'limits', name: 'send', queue, batchSize: 5, warren, amqpUrl, change });
}
