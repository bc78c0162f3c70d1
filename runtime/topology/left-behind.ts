import type { Topology } from './compile.ts';

/**
 * Names of what a queue has besides itself: its retry queues, its partitions with the messages that wait aside, the exchange that feeds
 * them, and the tokens of its limit.
 */
const inner =
  '(?:retry\\.[0-9.]+s|[0-9]+(?:\\.parked)?|workers|by\\..+\\.[0-9]+|limit\\.[0-9]+-[0-9]+(?:\\.used|\\.consumers)?)';

/**
 * Recognizes partitions, exchanges, tokens and retry queues that queues of a topology had with other settings. They stay at the broker,
 * with their messages. Those of a retry queue return when they are due, and no worker of the topology takes the others.
 */
export function leftBehind({ queues, exchanges }: Topology): (name: string) => boolean {
  const own = queues.filter((each) => (each.retryOf ?? each.partitionOf ?? each.limitOf) === undefined);
  const declared = new Set([...queues, ...exchanges].map(({ name }) => name));
  const names = own.map(({ name }) => name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const pattern = new RegExp(`^(?:${names.join('|')})\\.${inner}$`);
  return (name) => !declared.has(name) && pattern.test(name);
}
