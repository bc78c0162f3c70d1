import { setTimeout as pause } from 'node:timers/promises';
import type { Parts } from './parts.ts';
import type { Chance } from './seed.ts';
import type { Workers } from './workers.ts';

/** A fault that strikes while the load is on. */
export interface Fault {
  name: string;
  /** Usual duration in seconds, if parts are unavailable for that long. */
  takes(away: number): number;
  /**
   * For how long before it strikes a mail may have been taken without that being written down, in milliseconds: such a one is
   * sent again. Undefined if no mail may be doubled.
   */
  mayDouble?(away: number): number | undefined;
  /** Whether requests must be refused meanwhile; otherwise the fault had no effect. */
  refuses?: boolean;
  /** Whether a cluster has to go on meanwhile. */
  takesNode?: boolean;
  strike(scene: Scene): Promise<void>;
}

export interface Scene {
  parts: Parts;
  workers: Workers;
  chance: Chance;
  /** Seconds for which storage, database and mailbox are unavailable. */
  away: number;
  /** Of the broker. */
  nodes: number;
}

const seconds = (count: number) => pause(count * 1000);

/** Milliseconds from the mail server's acceptance to the row that records it, if the function is not delayed. */
const writing = 3000;

/** How long functions wait for the database once a mail is sent, in seconds, less some for a busy machine. */
const waitedFor = 35;

const awayFault = (part: 'storage' | 'database' | 'mail', mayDouble?: Fault['mayDouble']): Fault => ({
  name: `${part} away`,
  takes: (away) => away,
  ...(mayDouble && { mayDouble }),
  async strike({ parts, away }) {
    await parts.links[part].close();
    await seconds(away);
    await parts.links[part].open();
  },
});

/** A node of a cluster stays away for a while, and the others have to do without; a broker of one node comes right back. */
const nodeAway = (nodes: number, otherwise: number) => seconds(nodes > 1 ? 20 : otherwise);

const full = '^(add-points|critical)$';

export const faults: readonly Fault[] = [
  {
    name: 'process killed (SIGKILL)',
    takes: () => 2,
    mayDouble: () => writing,
    strike: ({ workers, chance }) => workers.kill(chance.between(0, 9)),
  },
  {
    name: 'process stopped (SIGTERM)',
    takes: () => 3,
    strike: ({ workers, chance }) => workers.replace(chance.between(0, 9)),
  },
  {
    name: 'broker stopped, started',
    takes: () => 9,
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
    async strike({ parts }) {
      for (const link of Object.values(parts.links)) link.cut();
    },
  },
  {
    name: "broker's connections frozen",
    takes: () => 15,
    async strike({ parts: { links } }) {
      links.broker.freeze();
      await seconds(15);
      links.broker.cut();
    },
  },
  {
    // Sent data may have arrived or not; the sender gets no answer.
    name: "all others' connections frozen",
    takes: () => 15,
    mayDouble: () => writing,
    async strike({ parts: { links } }) {
      const others = [links.database, links.storage, links.mail];
      for (const link of others) link.freeze();
      await seconds(15);
      for (const link of others) link.cut();
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
  awayFault('storage'),
  awayFault('database', (away) => (away > waitedFor ? waitedFor * 1000 : undefined)),
  awayFault('mail', () => writing),
  {
    // The workers stand still meanwhile, as on a machine that is moved, and have no connection: nothing makes room.
    name: 'queues full, workers halted',
    takes: () => 11,
    refuses: true,
    async strike({ parts: { broker, links }, workers }) {
      const limit = (most: number) => {
        const definition = JSON.stringify({ 'max-length': most });
        return broker.control('set_policy', '--apply-to', 'queues', 'full', full, definition);
      };
      await limit(3);
      workers.halt();
      links.broker.cut();
      await seconds(10);
      workers.resume();
      // Raised and not taken away: RabbitMQ 3.10 would go on refusing the channels that it has refused.
      await limit(1_000_000);
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
