import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { BrokerConnection } from '../../runtime/amqp/connection.ts';
import { applyTopology } from '../../runtime/topology/apply.ts';
import { compileTopology, type Topology } from '../../runtime/topology/compile.ts';
import { countQueues } from '../../runtime/topology/count-queues.ts';
import { deadLetters } from '../../runtime/topology/names.ts';
import { readSection } from '../../runtime/topology/schema.ts';
import { chanceFrom } from '../faults/seed.ts';
import type { PrivateBroker } from '../stack/private-broker.ts';
import { type Break, brokenTopology } from './breaks.ts';
import { Consumer } from './consumer.ts';
import { Control } from './control.ts';
import { type Counted, count } from './count.ts';
import { directQueue, fromExchange, maxLateMs, planned, section } from './plan.ts';
import { Sender } from './sender-process.ts';
import { strike } from './strikes.ts';

export interface CourseOptions {
  /** A broker that the course may kill. */
  broker: PrivateBroker;
  seed: string;
  messages: number;
  /** The longest delay in seconds. */
  seconds: number;
  brokerKills: number;
  publisherKills: number;
  /** Whether all messages are due at the same time; default false. */
  atOnce?: boolean | undefined;
  /** Milliseconds that messages may be late besides, because the machine is busy; default 0. */
  allowedMs?: number | undefined;
  /** Milliseconds after which the broker hands a message over again that the next queue did not take. */
  againMs: number;
  broken?: Break | undefined;
  say: (text: string) => void;
}

/** Sends delayed messages while broker and publisher are killed, and counts how they arrive. */
export async function runCourse(options: CourseOptions): Promise<Counted & { control: number[] }> {
  const { broker, seed, messages, seconds, atOnce, againMs, publisherKills, broken, say } = options;
  const compiled = compileTopology(readSection(section));
  const topology = broken ? brokenTopology(compiled, broken) : compiled;
  await applyTopology(broker.url, topology);
  const folder = await mkdtemp(join(tmpdir(), 'warren-delay-'));
  const chance = chanceFrom(`delay ${seed}`);
  const plan = planned(messages, seconds * 1000, chance, atOnce);
  const consumer = new Consumer(broker.url, [fromExchange, directQueue]);
  const sender = new Sender(folder, plan, broker.url, broken?.sender);
  const control = new Control(broker.url);
  try {
    await control.start();
    await sender.write();
    consumer.start();
    sender.start();
    const outages = await strike({ ...options, sender, consumer, chance });
    say('Waiting until all messages have arrived.');
    await sender.ended();
    const notes = await sender.notes();
    const down = outages.reduce((sum, { from, until }) => sum + until - from, 0);
    const last = Math.max(...notes.map((note) => ('due' in note ? note.due : 0)));
    const again = outages.length * 2 * againMs;
    const until = last + down + maxLateMs(plan.length) + again + 10_000;
    while (consumer.arrived < plan.length && Date.now() < until) await pause(50);
    // A message that was published again may arrive for the first time, while its other copy is on the ladder.
    let left = await leftAt(broker.url, topology);
    while (left.left > 0 && Date.now() < until) {
      await pause(250);
      left = await leftAt(broker.url, topology);
    }
    const { arrivals } = consumer;
    const late = maxLateMs(atOnce ? messages : 1) + (options.allowedMs ?? 0);
    const worstIn = (from: number, until: number) => control.worstIn(from, until);
    const found = { plan, notes, arrivals, outages, publisherKills, againMs, worstIn, maxLateMs: late };
    const counted = count({ ...found, ...left });
    return { ...counted, control: control.samples.map(({ lateMs }) => lateMs).sort((a, b) => a - b) };
  } finally {
    await Promise.all([consumer.stop(), sender.stop(), control.stop()]);
    await rm(folder, { recursive: true, force: true });
  }
}

async function leftAt(url: string, { delays }: Topology): Promise<{ deadLetters: number; left: number }> {
  const connection = new BrokerConnection({ url, name: 'delay course' });
  try {
    const counts = await countQueues(connection, [...(delays?.queues ?? []), { name: deadLetters }]);
    const dead = counts.get(deadLetters)?.messageCount ?? 0;
    const all = [...counts.values()].reduce((sum, { messageCount }) => sum + messageCount, 0);
    return { deadLetters: dead, left: all - dead };
  } finally {
    await connection.close();
  }
}
