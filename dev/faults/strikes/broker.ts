import { type Fault, seconds, writing } from '../fault.ts';

/** A node of a cluster stays unavailable for a while, and the others go on without it; a broker of one node comes right back. */
const nodeAway = (nodes: number, otherwise: number) => seconds(nodes > 1 ? 20 : otherwise);

/** Faults of the broker, and of the way to it. */
export const brokerFaults: readonly Fault[] = [
  {
    name: 'broker stopped, started',
    takes: () => 9,
    redelivers: true,
    takesNode: true,
    async strike({ parts: { broker }, nodes }) {
      await broker.stop();
      await nodeAway(nodes, 2);
      await broker.start();
    },
  },
  {
    name: 'broker killed (SIGKILL)',
    takes: () => 6,
    redelivers: true,
    takesNode: true,
    async strike({ parts: { broker }, nodes }) {
      await broker.kill();
      await nodeAway(nodes, 0);
      await broker.start();
    },
  },
  {
    name: 'all connections cut',
    takes: () => 1,
    mayDouble: () => writing,
    redelivers: true,
    async strike({ parts }) {
      for (const link of Object.values(parts.links)) link.cut();
    },
  },
  {
    name: "broker's connections frozen",
    takes: () => 15,
    redelivers: true,
    async strike({ parts: { links } }) {
      links.broker.freeze();
      await seconds(15);
      links.broker.cut();
    },
  },
  {
    name: 'everything slow (200 ms)',
    takes: () => 10,
    async strike({ parts }) {
      for (const link of Object.values(parts.links)) link.slow(200);
      await seconds(10);
      for (const link of Object.values(parts.links)) link.slow(0);
    },
  },
  {
    name: 'publishers blocked (memory alarm)',
    takes: () => 11,
    refuses: true,
    async strike({ parts: { broker } }) {
      await broker.control('set_vm_memory_high_watermark', 'absolute', '1000');
      await seconds(10);
      await broker.control('set_vm_memory_high_watermark', '0.6');
    },
  },
  {
    // The mail server hangs for longer than the broker waits for an acknowledgement. New channels take the new limit.
    name: 'acknowledgements too late',
    takes: () => 21,
    mayDouble: () => writing,
    redelivers: true,
    async strike({ parts: { broker, links } }) {
      const limit = (ms: number) =>
        broker.control('eval', `application:set_env(rabbit, consumer_timeout, ${ms}).`);
      await limit(4000);
      links.broker.cut();
      links.mail.slow(8000);
      await seconds(20);
      links.mail.slow(0);
      links.mail.cut();
      await limit(1_800_000);
      links.broker.cut();
    },
  },
];
