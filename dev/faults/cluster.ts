import { type PrivateBroker, privateBroker } from '../stack/private-broker.ts';

/** Faults hit the node that leads this queue. */
const watched = 'resize-picture';

/**
 * Intervals of the broker in milliseconds. It compares acknowledgements with their limit once a minute otherwise, and tries again
 * after three minutes when a work queue has refused a message that returns from its retry queue.
 */
const erlang =
  '-rabbit channel_tick_interval 1000 -rabbit dead_letter_worker_publisher_confirm_timeout 20000';

/**
 * A RabbitMQ to be struck: one node, or a cluster that can be treated like one. What is stopped or killed in a cluster is the
 * node that leads the watched queue; `start` brings back what is down.
 */
export async function startBroker(nodes: number): Promise<PrivateBroker> {
  if (nodes === 1) return privateBroker(() => [], erlang);
  const names = Array.from({ length: nodes }, (_, n) => `node${n + 1}`);
  const members: { name: string; broker: PrivateBroker; down: boolean }[] = [];
  // One after the other: each joins those that are there.
  for (const name of names) {
    const epmd = members[0]?.broker.epmd;
    const broker = await privateBroker(() => [], erlang, { name, all: names, epmd });
    members.push({ name, broker, down: false });
  }
  const first = members[0]?.broker as PrivateBroker;
  const up = () => members.filter(({ down }) => !down);

  const leader = async () => {
    const [one] = up();
    const lines = (await one?.broker.control('list_queues', '--silent', 'name', 'leader')) ?? '';
    const node = new RegExp(`^${watched}\\t(.*)@`, 'm').exec(lines)?.[1];
    return up().find(({ name }) => name === node) ?? one;
  };
  const end = async (how: 'stop' | 'kill') => {
    const member = await leader();
    if (!member) return;
    member.down = true;
    await member.broker[how]();
  };
  return {
    ...first,
    url: members.map(({ broker }) => broker.url).join(','),
    async start() {
      for (const member of members.filter(({ down }) => down)) {
        await member.broker.start();
        member.down = false;
      }
    },
    signal(signal) {
      for (const { broker } of up()) broker.signal(signal);
    },
    stop: () => end('stop'),
    kill: () => end('kill'),
    /** On every node that is up, for some settings are a node's own. */
    async control(...args) {
      const outputs = await Promise.all(up().map(({ broker }) => broker.control(...args)));
      return outputs[0] ?? '';
    },
    async close() {
      // The first one holds what the others find each other by.
      for (const { broker } of members.reverse()) await broker.close();
    },
  };
}
