import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { BrokerConnection } from '../../runtime/amqp/connection.ts';
import { type StackChild, signalTo, startChild } from '../../runtime/local/process.ts';
import { applyTopology } from '../../runtime/topology/apply.ts';
import { compileTopology, type Topology } from '../../runtime/topology/compile.ts';
import { countQueues } from '../../runtime/topology/count-queues.ts';
import { deadLetters } from '../../runtime/topology/names.ts';
import { readSection } from '../../runtime/topology/schema.ts';
import { chanceFrom } from '../faults/seed.ts';
import type { PrivateBroker } from '../stack/private-broker.ts';
import { projectFile } from '../stack/project.ts';
import { type Break, brokenTopology } from './breaks.ts';
import { Consumer } from './consumer.ts';
import { type Counted, count, type Outage } from './count.ts';
import { directQueue, fromExchange, maxLateMs, type Note, type Planned, planned, section } from './plan.ts';

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
  broken?: Break | undefined;
  say: (text: string) => void;
}

/** Sends delayed messages while broker and publisher are killed, and counts how they arrive. */
export async function runCourse(options: CourseOptions): Promise<Counted> {
  const { broker, seed, messages, seconds, atOnce, broken, say } = options;
  const compiled = compileTopology(readSection(section));
  const topology = broken ? brokenTopology(compiled, broken) : compiled;
  await applyTopology(broker.url, topology);
  const folder = await mkdtemp(join(tmpdir(), 'warren-delay-'));
  const chance = chanceFrom(`delay ${seed}`);
  const plan = planned(messages, seconds * 1000, chance, atOnce);
  const consumer = new Consumer(broker.url, [fromExchange, directQueue]);
  const sender = new Sender(folder, plan, broker.url, broken?.sender);
  const outages: Outage[] = [];
  try {
    await sender.write();
    consumer.start();
    sender.start();
    // A kill of the publisher while it publishes, and one of the broker at any time.
    const kills = [
      ...Array.from({ length: options.publisherKills }, () => ({
        what: 'publisher',
        at: chance.next() * 0.5,
      })),
      ...Array.from({ length: options.brokerKills }, () => ({
        what: 'broker',
        at: 0.1 + chance.next() * 0.7,
      })),
    ].sort((a, b) => a.at - b.at);
    const begun = Date.now();
    for (const { what, at } of kills) {
      await pause(Math.max(0, begun + at * seconds * 1000 - Date.now()));
      say(`Kill of the ${what}.`);
      if (what === 'publisher') await sender.kill();
      else outages.push(await strike(broker));
    }
    say('Waiting until all messages have arrived.');
    await sender.ended();
    const notes = await sender.notes();
    const down = outages.reduce((sum, { from, until }) => sum + until - from, 0);
    const last = Math.max(...notes.map((note) => ('due' in note ? note.due : 0)));
    const arrived = () => new Set(consumer.arrivals.map(({ id }) => id)).size;
    while (arrived() < plan.length && Date.now() < last + down + maxLateMs(plan.length) + 10_000)
      await pause(50);
    const { arrivals } = consumer;
    const { publisherKills } = options;
    const left = await leftAt(broker.url, topology);
    const late = maxLateMs(atOnce ? messages : 1) + (options.allowedMs ?? 0);
    return count({ plan, notes, arrivals, outages, publisherKills, maxLateMs: late, ...left });
  } finally {
    await Promise.all([consumer.stop(), sender.stop()]);
    await rm(folder, { recursive: true, force: true });
  }
}

async function strike(broker: PrivateBroker): Promise<Outage> {
  const from = Date.now();
  await broker.kill();
  await broker.start();
  return { from, until: Date.now() };
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

/** The process that publishes. */
class Sender {
  readonly #folder: string;
  readonly #plan: readonly Planned[];
  readonly #arguments: readonly string[];
  #child: StackChild | undefined;

  constructor(folder: string, plan: readonly Planned[], url: string, broken: string | undefined) {
    this.#folder = folder;
    this.#plan = plan;
    const begun = String(Date.now() + 1000);
    const files = [join(folder, 'plan.json'), join(folder, 'notes')];
    this.#arguments = [url, ...files, begun, ...(broken === undefined ? [] : [broken])];
  }

  write(): Promise<void> {
    return writeFile(join(this.#folder, 'plan.json'), JSON.stringify(this.#plan));
  }

  start(): void {
    this.#child = startChild({
      name: 'sender',
      command: process.execPath,
      args: ['--import', 'tsx', projectFile('dev/delay/sender.ts'), ...this.#arguments],
      env: process.env,
      logFile: join(this.#folder, 'sender.log'),
    });
  }

  async kill(): Promise<void> {
    if (!this.#child) return;
    signalTo(this.#child.pid, 'SIGKILL');
    await this.#child.exited;
    this.start();
  }

  async ended(): Promise<void> {
    const how = await this.#child?.exited;
    if (how !== 'exit code 0') throw new Error(`the sender ended with ${how}: ${await this.#log()}`);
  }

  async notes(): Promise<Note[]> {
    const lines = (await readFile(join(this.#folder, 'notes'), 'utf8')).split('\n');
    return lines.filter((line) => line.endsWith('}')).map((line) => JSON.parse(line) as Note);
  }

  async stop(): Promise<void> {
    await this.#child?.stop();
  }

  async #log(): Promise<string> {
    const file = join(this.#folder, 'sender.log');
    return existsSync(file) ? readFile(file, 'utf8') : '';
  }
}
