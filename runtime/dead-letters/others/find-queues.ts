import * as z from 'zod';
import type { ManagementApi } from '../../topology/management.ts';

/** A queue of dead letters that another client declared. */
export interface OtherQueue {
  queue: string;
  kind: 'stream' | 'classic' | 'quorum';
  /** Number of messages. */
  total: number;
  /** Why reading it would do harm, and what is needed; null if it would not. */
  problem: string | null;
}

const settings = z.record(z.string(), z.unknown()).nullish().catch(null);
const managedQueues = () =>
  z.array(
    z.object({
      name: z.string(),
      type: z.string().default('classic'),
      messages: z.number().default(0),
      consumers: z.number().default(0),
      arguments: settings,
      effective_policy_definition: settings,
    }),
  );
type ManagedQueue = z.output<ReturnType<typeof managedQueues>>[number];
const managedBindings = () =>
  z.array(z.object({ source: z.string(), destination: z.string(), destination_type: z.string() }));

const columns = 'name,type,messages,consumers,arguments,effective_policy_definition';

/**
 * Returns the queues with these names, or else those to which other queues dead-letter: they are the ends of a dead-letter
 * exchange, have no such exchange themselves, as a queue for retries has, and no consumer.
 *
 * @param vhost as a path of the API contains it.
 * @param version of RabbitMQ, such as `4.3.1`.
 * @throws as the methods of `managementApi`.
 */
export async function findQueues(
  api: ManagementApi,
  { vhost, version, names }: { vhost: string; version: string; names?: readonly string[] | undefined },
): Promise<OtherQueue[]> {
  const queues = (await api.get(`queues/${vhost}?columns=${columns}`, managedQueues())) ?? [];
  const byName = new Map(queues.map((queue) => [queue.name, queue]));
  const wanted = names ?? (await targetsOf(api, vhost, queues));
  return wanted.map((name) => {
    const queue = byName.get(name);
    if (!queue) return { queue: name, kind: 'classic', total: 0, problem: 'there is no such queue' };
    return {
      queue: name,
      kind: queue.type === 'stream' || queue.type === 'quorum' ? queue.type : 'classic',
      total: queue.messages,
      problem: problemOf(queue, version),
    };
  });
}

async function targetsOf(
  api: ManagementApi,
  vhost: string,
  queues: readonly ManagedQueue[],
): Promise<string[]> {
  const bindings = (await api.get(`bindings/${vhost}`, managedBindings())) ?? [];
  const found = new Set<string>();
  const followed = new Set<string>();
  const follow = (exchange: string): void => {
    if (followed.has(exchange)) return;
    followed.add(exchange);
    for (const { source, destination, destination_type: type } of bindings) {
      if (source !== exchange) continue;
      if (type === 'queue') found.add(destination);
      else follow(destination);
    }
  };
  for (const queue of queues) {
    const exchange = settingOf(queue, 'dead-letter-exchange');
    const key = settingOf(queue, 'dead-letter-routing-key');
    if (exchange === '' && typeof key === 'string') found.add(key);
    else if (typeof exchange === 'string' && exchange !== '') follow(exchange);
  }
  const isEnd = (queue: ManagedQueue) =>
    settingOf(queue, 'dead-letter-exchange') === undefined && queue.consumers === 0;
  return queues.filter((queue) => found.has(queue.name) && isEnd(queue)).map(({ name }) => name);
}

/** A queue's own argument, or else that of its policy. */
const settingOf = ({ arguments: own, effective_policy_definition: policy }: ManagedQueue, name: string) =>
  own?.[`x-${name}`] ?? policy?.[name] ?? undefined;

/**
 * A message that is read from a queue returns to it. A classic queue only marks it as redelivered, and RabbitMQ 4.3 counts no
 * `basic.nack`. Before, a quorum queue counts a delivery, and drops the message at its limit, which is 20 by default since 4.0.
 */
function problemOf(queue: ManagedQueue, version: string): string | null {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const countsNone = major > 4 || (major === 4 && minor >= 3);
  if (queue.type !== 'quorum' || countsNone) return null;
  const limits = [
    queue.arguments?.['x-delivery-limit'],
    queue.effective_policy_definition?.['delivery-limit'],
  ];
  const given = limits.filter((limit) => typeof limit === 'number');
  const limit = given.length > 0 ? Math.min(...given) : major >= 4 ? 20 : -1;
  if (limit < 0) return null;
  const pattern = `^${queue.name.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}$`;
  const command = `rabbitmqctl set_policy --apply-to queues board '${pattern}' '{"delivery-limit": -1}'`;
  return (
    `it is a quorum queue with a delivery limit of ${limit}, and RabbitMQ ${version} counts each time that a message is read: ` +
    `the broker would drop its messages at the limit. It can be read with RabbitMQ 4.3, or without the limit (${command})`
  );
}
