import { setTimeout as pause } from 'node:timers/promises';
import { type ConfirmChannel, connect } from 'amqplib';
import { deadLetters } from '../../runtime/topology/names.ts';
import type { WorkerOptions } from '../course/program.ts';
import { reached } from '../course/progress.ts';
import { Workers } from '../course/workers.ts';
import type { Count } from '../faults/compare.ts';
import { type Chance, chanceFrom } from '../faults/seed.ts';
import type { Break } from './breaks.ts';
import { count } from './count.ts';
import { makeOrders, type Order, publishOrders } from './messages.ts';
import { doneIn, nameOf, readNotes } from './notes.ts';
import { makeOrderProject, type Project } from './project.ts';

/** Milliseconds of the work of a message whose worker is struck during it. */
const longMs = 2000;

export interface CourseOptions extends WorkerOptions {
  customers: number;
  /** Workers that are replaced in order, one after the other. */
  rolls: number;
  broken?: Break | undefined;
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
  const project = await makeOrderProject({ amqpUrl, ordered: true, change: broken?.topology });
  try {
    const channel = await model.createConfirmChannel();
    return await runIn({ ...options, chance, orders, project, channel });
  } finally {
    await Promise.all([model.close(), project.remove()]);
  }
}

async function runIn(scene: Scene): Promise<Count[]> {
  const { AMQP_URL, broken, orders, channel, project, say } = scene;
  const workers = new Workers(project, AMQP_URL, scene.processes, broken?.preload);
  const poisonous = orders.filter(({ failures }) => failures === -1).map(nameOf);
  try {
    await workers.start(scene.workers);
    await strike(workers, scene);
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

/**
 * Publishes the messages in as many portions as workers are killed and replaced, and one more. One message of each portion takes long,
 * and its worker is struck during that call: the others may be done before this process has a turn.
 */
async function strike(workers: Workers, scene: Scene): Promise<void> {
  const { chance, orders, project, channel } = scene;
  const strikes = strikesOf(workers, scene);
  const size = Math.ceil(orders.length / (strikes.length + 1));
  const portion = (n: number) => orders.slice(n * size, (n + 1) * size);
  for (const [n, hit] of strikes.entries()) {
    const sound = portion(n).filter(({ failures }) => failures === 0);
    const long = sound[chance.between(0, Math.floor(sound.length / 2))];
    const sent = portion(n).map((order) => (order === long ? { ...order, ms: longMs } : order));
    const publishing = publishOrders(channel, sent);
    const worker = long && (await workerOf(long, project));
    await pause(chance.between(0, longMs / 10));
    await hit(worker);
    await publishing;
  }
  await publishOrders(channel, portion(strikes.length));
}

/** Waits until a message has begun, and returns the worker that called the function with it. */
async function workerOf(order: Order, { notesFile }: Project): Promise<number | undefined> {
  let worker: number | undefined;
  await reached(Number.POSITIVE_INFINITY, async () => {
    const notes = await readNotes(notesFile);
    worker = notes.find((note) => note.customer === order.customer && note.n === order.n)?.worker;
    return worker === undefined ? notes.length : Number.POSITIVE_INFINITY;
  });
  return worker;
}

/** Half of the kills, the replacements, and the other kills. Each gets the id of the worker to strike. */
function strikesOf(workers: Workers, { kills, rolls, say }: Scene): ((worker?: number) => Promise<void>)[] {
  const killed = Array.from({ length: kills }, (_, n) => async (worker?: number) => {
    say(`Kill ${n + 1} of ${kills}.`);
    await workers.kill(worker);
  });
  const rolled = Array.from({ length: rolls }, (_, n) => async (worker?: number) => {
    say(`Replacement ${n + 1} of ${rolls}.`);
    await workers.roll(worker);
  });
  const half = Math.ceil(kills / 2);
  return [...killed.slice(0, half), ...rolled, ...killed.slice(half)];
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
