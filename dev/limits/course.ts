import { type ConfirmChannel, connect } from 'amqplib';
import { deadLetters } from '../../runtime/topology/names.ts';
import type { LimitedQueue } from '../../runtime/topology/tokens.ts';
import type { WorkerOptions } from '../course/program.ts';
import { reached } from '../course/progress.ts';
import type { Project } from '../course/project.ts';
import { Workers } from '../course/workers.ts';
import type { Count } from '../faults/compare.ts';
import { type Chance, chanceFrom } from '../faults/seed.ts';
import type { Break } from './breaks.ts';
import { count, countTimes, openCalls } from './count.ts';
import { makeTexts, publishTexts, type Text } from './messages.ts';
import { doneIn, readNotes } from './notes.ts';
import { makeLimitsProject, queue } from './project.ts';

export interface CourseOptions extends WorkerOptions {
  /** Such as `100/minute`. */
  limit: string;
  /** Whether to count by the clock, which depends on the machine. */
  timed: boolean;
  broken?: Break | undefined;
}

interface Scene extends CourseOptions {
  chance: Chance;
  channel: ConfirmChannel;
  project: Project;
  texts: readonly Text[];
}

/**
 * Lets workers handle more messages than their limit allows at once, while they are killed, and counts those above it.
 *
 * @returns the counts; those with problems are broken promises.
 */
export async function runCourse(options: CourseOptions): Promise<Count[]> {
  const { AMQP_URL: amqpUrl, seed, messages, limit, broken } = options;
  const chance = chanceFrom(`limits ${seed}`);
  const texts = makeTexts(chance, messages, 50);
  const model = await connect(amqpUrl);
  const settings = { concurrency: 4, limit };
  const project = await makeLimitsProject({ amqpUrl, settings, change: broken?.topology });
  try {
    const channel = await model.createConfirmChannel();
    return await runIn({ ...options, chance, texts, project, channel });
  } finally {
    await Promise.all([model.close(), project.remove()]);
  }
}

async function runIn(scene: Scene): Promise<Count[]> {
  const { AMQP_URL, broken, texts, channel, project, say } = scene;
  const workers = new Workers(project, AMQP_URL, scene.processes, broken?.preload);
  const limit = limitOf(scene);
  try {
    await workers.start(scene.workers);
    // Before the first message, and after the workers are up: slow starts would hide messages that come too early.
    const startedAt = Date.now();
    await publishTexts(channel, texts);
    await strike(workers, scene);
    say('Waiting until all messages are done.');
    await reached(texts.length, async () => doneIn(await readNotes(project.notesFile)));
    await workers.stop();
    const notes = await readNotes(project.notesFile);
    // The tokens that were used last are on their way between their queues.
    await reached(limit.count, () => tokens(scene));
    const outcome = {
      notes,
      texts,
      limit,
      startedAt,
      killed: workers.killed,
      endings: workers.endings,
      left: await ready(channel, queue),
      deadLetters: await ready(channel, deadLetters),
      tokens: await tokens(scene),
    };
    return [...count(outcome), ...(scene.timed ? countTimes(outcome) : [])];
  } finally {
    await workers.stop();
  }
}

/** Kills workers, one after the other, at moments that are spread over the messages. */
async function strike(
  workers: Workers,
  { chance, kills, texts, project, say, ...scene }: Scene,
): Promise<void> {
  for (let n = 0; n < kills; n += 1) {
    const part = (n + 0.2 + chance.next() * 0.6) / (kills + 1);
    const wanted = Math.floor(part * texts.length);
    await reached(wanted, async () => doneIn(await readNotes(project.notesFile)), 20);
    const which = n % scene.workers;
    const calls = async () => openCalls(await readNotes(project.notesFile), [workers.pidOf(which)]);
    await reached(1, calls, 10);
    say(`Kill ${n + 1} of ${kills}: worker ${which + 1}.`);
    await workers.kill(workers.pidOf(which));
  }
}

const limitOf = ({ project }: Scene): LimitedQueue => project.topology.limited?.[0] as LimitedQueue;

async function tokens(scene: Scene): Promise<number> {
  const { channel } = scene;
  const limit = limitOf(scene);
  // In this order, because a token moves from `used` to `tokens`: it is counted in one of them at most.
  const free = await ready(channel, limit.tokens);
  return free + (await ready(channel, limit.used));
}

const ready = async (channel: ConfirmChannel, name: string): Promise<number> =>
  (await channel.checkQueue(name)).messageCount;
