import { setTimeout as pause } from 'node:timers/promises';
import type { Parts } from './parts.ts';
import type { RunOptions } from './run.ts';
import type { Chance } from './seed.ts';
import type { Workers } from './workers.ts';

/** A fault that strikes while the load is on. */
export interface Fault {
  name: string;
  /** Whether a mail that was taken just then may not have been written down, so that it is sent again. */
  mayDouble: boolean;
  strike(scene: Scene): Promise<void>;
}

export interface Scene {
  parts: Parts;
  workers: Workers;
  chance: Chance;
  /** For how many seconds storage, database and mailbox are away. */
  away: number;
}

/** A fault that has struck. Times are milliseconds since 1970. */
export interface Struck {
  name: string;
  mayDouble: boolean;
  from: number;
  to: number;
}

const seconds = (count: number) => pause(count * 1000);

const awayFault = (part: 'storage' | 'database' | 'mail', mayDouble: boolean): Fault => ({
  name: `${part} away`,
  mayDouble,
  async strike({ parts, away }) {
    await parts.links[part].close();
    await seconds(away);
    await parts.links[part].open();
  },
});

const faults: readonly Fault[] = [
  {
    name: 'worker killed (SIGKILL)',
    mayDouble: true,
    strike: ({ workers, chance }) => workers.kill(chance.between(0, 9)),
  },
  {
    name: 'worker stopped (SIGTERM)',
    mayDouble: false,
    strike: ({ workers, chance }) => workers.replace(chance.between(0, 9)),
  },
  {
    name: 'broker stopped, started',
    mayDouble: false,
    async strike({ parts: { broker } }) {
      await broker.stop();
      await seconds(2);
      await broker.start();
    },
  },
  {
    name: 'broker killed (SIGKILL)',
    mayDouble: false,
    async strike({ parts: { broker } }) {
      await broker.kill();
      await broker.start();
    },
  },
  {
    name: 'all connections cut',
    mayDouble: true,
    async strike({ parts }) {
      for (const link of Object.values(parts.links)) link.cut();
    },
  },
  {
    name: "broker's connections frozen",
    mayDouble: false,
    async strike({ parts: { links } }) {
      links.broker.freeze();
      await seconds(15);
      links.broker.cut();
    },
  },
  {
    name: 'everything slow (200 ms)',
    mayDouble: false,
    async strike({ parts }) {
      for (const link of Object.values(parts.links)) link.slow(200);
      await seconds(10);
      for (const link of Object.values(parts.links)) link.slow(0);
    },
  },
  awayFault('storage', false),
  awayFault('database', true),
  awayFault('mail', true),
  {
    // The workers stand still meanwhile, as on a machine that is moved: nothing makes room.
    name: 'queues full, workers halted',
    mayDouble: false,
    async strike({ parts: { broker }, workers }) {
      const limit = JSON.stringify({ 'max-length': 3 });
      await broker.control('set_policy', '--apply-to', 'queues', 'full', '^(add-points|critical)$', limit);
      workers.halt();
      await seconds(10);
      workers.resume();
      await broker.control('clear_policy', 'full');
    },
  },
  {
    name: 'publishers blocked (memory alarm)',
    mayDouble: false,
    async strike({ parts: { broker } }) {
      await broker.control('set_vm_memory_high_watermark', 'absolute', '1000');
      await seconds(10);
      await broker.control('set_vm_memory_high_watermark', '0.6');
    },
  },
  {
    // The mail server hangs for longer than the broker waits for an acknowledgement. New channels take the new limit.
    name: 'acknowledgements too late',
    mayDouble: true,
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

/**
 * Lets every fault strike, one after the other in an order of chance with pauses of chance in between; again from the
 * start until as many have struck as asked for.
 */
export async function strikeAll(
  scene: Scene,
  { faults: count, only, say }: Pick<RunOptions, 'faults' | 'only' | 'say'>,
): Promise<Struck[]> {
  const meant = faults.filter(({ name }) => !only || only.includes(name));
  const order: Fault[] = [];
  while (order.length < count) order.push(...scene.chance.shuffled(meant));
  const struck: Struck[] = [];
  for (const { name, mayDouble, strike } of order.slice(0, count)) {
    await seconds(1 + scene.chance.next() * 4);
    const from = Date.now();
    say(`Fault ${struck.length + 1} of ${count}: ${name}`);
    await strike(scene);
    struck.push({ name, mayDouble, from, to: Date.now() });
  }
  return struck;
}

/** How many kinds of faults there are. */
export const faultKinds = faults.length;
