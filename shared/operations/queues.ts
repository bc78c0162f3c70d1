import { brokerSettings, log, managementSettings, metricsSettings, resource } from 'warren/functions';
import { QueueStates, readTopology } from 'warren/topology';
import { z } from 'zod';

const queuesSettings = () => z.object({ ...brokerSettings().shape, ...managementSettings().shape });

/** The state of every queue in the topology. The artifact contains serverless.yml, which defines the topology. */
export const queues = resource(
  queuesSettings,
  ({ AMQP_URL: url, AMQP_MANAGEMENT_URL: managementUrl }, { name, use }) =>
    new QueueStates({ url, managementUrl, topology: readTopology(), name, log: use(log) }),
  [log],
);

/**
 * Opens a new reader of the queue states for each run, because a kept connection would die while the function is frozen.
 */
export const openQueues = resource(
  queuesSettings,
  ({ AMQP_URL: url, AMQP_MANAGEMENT_URL: managementUrl }, { name, use }) => {
    const topology = readTopology();
    return () => new QueueStates({ url, managementUrl, topology, name, log: use(log) });
  },
  [log],
);

/** The CloudWatch namespace of the functions' own metrics. */
export const metricsNamespace = resource(metricsSettings, ({ METRICS_NAMESPACE }) => METRICS_NAMESPACE);
