import {
  brokerSettings,
  log,
  managementSettings,
  metricsSettings,
  resource,
  type SettingsValues,
} from 'warren/functions';
import { QueueStates, readTopology } from 'warren/topology';
import * as z from 'zod';

const queuesSettings = () => z.object({ ...brokerSettings().shape, ...managementSettings().shape });
type QueuesSettings = SettingsValues<typeof queuesSettings>;

function brokerOf(
  { AMQP_URL: url, AMQP_MANAGEMENT_URL: managementUrl }: QueuesSettings,
  reread: () => Promise<QueuesSettings>,
) {
  return {
    url,
    managementUrl,
    renewUrl: async () => (await reread()).AMQP_URL,
    renewManagementUrl: async () => (await reread()).AMQP_MANAGEMENT_URL,
  };
}

/** The state of every queue in the topology. The artifact contains serverless.yml, which defines the topology. */
export const queues = resource(
  queuesSettings,
  (settings, { name, use, reread }) =>
    new QueueStates({ ...brokerOf(settings, reread), topology: readTopology(), name, log: use(log) }),
  [log],
);

/**
 * Opens a new reader of the queue states for each run, because a kept connection would die while the function is frozen.
 */
export const openQueues = resource(
  queuesSettings,
  (settings, { name, use, reread }) => {
    const topology = readTopology();
    return () => new QueueStates({ ...brokerOf(settings, reread), topology, name, log: use(log) });
  },
  [log],
);

/** The CloudWatch namespace of the functions' own metrics. */
export const metricsNamespace = resource(metricsSettings, ({ METRICS_NAMESPACE }) => METRICS_NAMESPACE);
