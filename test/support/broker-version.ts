import type { TestBroker } from './broker.ts';

/**
 * Whether the broker of this run has at least a version. RabbitMQ's behavior differs by version, so a test of a difference
 * asserts what the running broker does.
 *
 * @param version such as `4.2.7`.
 */
export function isAtLeast({ channel }: Pick<TestBroker, 'channel'>, version: string): boolean {
  const [running, wanted] = [channel.connection.serverProperties.version, version].map((text) =>
    text.split('.').map((part) => Number.parseInt(part, 10)),
  ) as [number[], number[]];
  const differing = wanted.findIndex((part, place) => part !== (running[place] ?? 0));
  return differing === -1 || (running[differing] ?? 0) > (wanted[differing] ?? 0);
}

/** Arguments of a quorum queue whose deliveries are not limited. RabbitMQ 4 has a default limit, and 3 refuses -1. */
export const unlimited = (broker: Pick<TestBroker, 'channel'>) =>
  isAtLeast(broker, '4.0') ? { 'x-delivery-limit': -1 } : {};
