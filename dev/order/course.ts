import { type ConfirmChannel, connect } from 'amqplib';
import { deadLetters } from '../../runtime/topology/names.ts';
import type { Count } from '../faults/compare.ts';
import { type Chance, chanceFrom } from '../faults/seed.ts';
import type { Break } from './breaks.ts';
import { count } from './count.ts';
import { makeOrders, type Order, publishOrders } from './messages.ts';
import { doneIn, nameOf, readNotes } from './notes.ts';
import { reached } from './progress.ts';
import { makeProject, type Project } from './project.ts';
import { Workers } from './workers.ts';

export interface CourseOptions {
  AMQP_URL: string;
  /** What messages and moments follow from. */
  seed: string;
  messages: number;
  customers: number;
  workers: number;
  kills: number;
  broken?: Break | undefined;
  say: (text: string) => void;
}

interface Scene extends CourseOptions {
  chance: Chance;
  channel: ConfirmChannel;
  project: Project;
  orders: readonly Order[];
}

/**
 * Sends messages of many customers to workers that are killed and replaced, and counts those out of order.
 *
 * @returns the counts; those with problems are broken promises.
 */
export async function runCourse(options: CourseOptions): Promise<Count[]> {
  const { AMQP_URL: amqpUrl, seed, messages, customers, broken } = options;
  const chance = chanceFrom(`order ${seed}`);
  const orders = makeOrders(chance, messages, customers, 50);
  const model = await connect(amqpUrl);
  const project = await makeProject({ amqpUrl, ordered: true, change: broken?.topology });
  try {
    const channel = await model.createConfirmChannel();
    return await runIn({ ...options, chance, orders, project, channel });
  } finally {
    await Promise.all([model.close(), project.remove()]);
  }
}

async function runIn(scene: Scene): Promise<Count[]> {
  const { AMQP_URL, broken, orders, channel, project, say } = scene;
  const workers = new Workers(project, AMQP_URL, broken?.preload);
  const poisonous = orders.filter(({ failures }) => failures === -1).map(nameOf);
  try {
    await workers.start(scene.workers);
    const publishing = publishOrders(channel, orders);
    await strike(workers, scene);
    await publishing;
    say('Waiting until all messages are done.');
    await reached(orders.length, () => ended(scene));
    await workers.stop();
    return count({
      notes: await readNotes(project.notesFile),
      messages: orders.filter(({ failures }) => failures !== -1).map(nameOf),
      poisonous,
      killed: workers.killed,
      endings: workers.endings,
      left: await ready(scene),
      deadLetters: await takeDeadLetters(channel),
    });
  } finally {
    await workers.stop();
  }
}

/** Kills workers at moments of the seed, and replaces all of them in order when half of the messages are done. */
async function strike(
  workers: Workers,
  { chance, kills, orders, project, say, ...scene }: Scene,
): Promise<void> {
  const roll = Math.floor(kills / 2);
  for (let n = 0; n <= kills; n += 1) {
    const wanted = Math.floor(((n + chance.next()) * orders.length) / (kills + 2));
    await reached(wanted, async () => doneIn(await readNotes(project.notesFile)));
    if (n === roll) {
      say('Rolling stop: each worker in turn is replaced.');
      for (let which = 0; which < scene.workers; which += 1) await workers.roll(which);
    } else {
      say(`Kill ${n < roll ? n + 1 : n} of ${kills}: worker ${(n % scene.workers) + 1}.`);
      await workers.kill(n % scene.workers);
    }
  }
}

/** Messages that are done or dead-lettered. */
async function ended({ channel, project }: Scene): Promise<number> {
  const { messageCount } = await channel.checkQueue(deadLetters);
  return doneIn(await readNotes(project.notesFile)) + messageCount;
}

/** Messages in the queues. */
async function ready({ channel, project }: Scene): Promise<number> {
  let sum = 0;
  for (const queue of project.queues) sum += (await channel.checkQueue(queue)).messageCount;
  return sum;
}

async function takeDeadLetters(channel: ConfirmChannel): Promise<string[]> {
  const names: string[] = [];
  for (;;) {
    const message = await channel.get(deadLetters, { noAck: true });
    if (!message) return names;
    names.push(String(message.properties.messageId));
  }
}
