import { type ConfirmChannel, connect } from 'amqplib';
import { deadLetters, parkedQueue, partitionQueue } from '../../runtime/topology/names.ts';
import { reached } from '../course/progress.ts';
import type { Project } from '../course/project.ts';
import { Workers } from '../course/workers.ts';
import type { Count } from '../faults/compare.ts';
import { type Chance, chanceFrom } from '../faults/seed.ts';
import { countKeys, countShares } from './count-keys.ts';
import type { CourseOptions } from './course.ts';
import { type KeyedText, publishTexts } from './messages.ts';
import { doneIn, readNotes } from './notes.ts';
import { makeLimitsProject, queue } from './project.ts';

const partitions = 2;
const concurrency = 2;
const limit = { count: 100, periodMs: 1000 };
const perKey = { of: 'header.tenant', concurrency, limit: `${limit.count}/second` };
/** Keys with many messages, and one with few. */
const busy = ['ann', 'bob', 'cid', 'dan'];
const quiet = 'eve';
const few = 10;
const partitionNames = Array.from({ length: partitions }, (_, index) => partitionQueue(queue, index));

interface Scene extends KeysOptions {
  chance: Chance;
  channel: ConfirmChannel;
  project: Project;
  running: Workers;
  texts: KeyedText[];
}

export interface KeysOptions extends Omit<CourseOptions, 'limit' | 'broken'> {
  /** The largest message of the queue: workers read further ahead if it is small. */
  maxMessageBytes: number;
}

/**
 * Lets workers handle many messages of some keys and a few of another one, while they are killed, and counts those above the limits of
 * their keys.
 *
 * @returns the counts; those with problems are broken promises.
 */
export async function runKeys(options: KeysOptions): Promise<Count[]> {
  const { AMQP_URL: amqpUrl, seed, processes, maxMessageBytes } = options;
  const model = await connect(amqpUrl);
  const settings = { concurrency: 8, perKey, partitions, maxMessageBytes };
  const project = await makeLimitsProject({ amqpUrl, settings });
  const running = new Workers(project, amqpUrl, processes);
  try {
    const channel = await model.createConfirmChannel();
    const chance = chanceFrom(`keys ${seed}`);
    return await runIn({ ...options, chance, channel, project, running, texts: [] });
  } finally {
    await running.stop();
    await Promise.all([model.close(), project.remove()]);
  }
}

async function runIn(scene: Scene): Promise<Count[]> {
  const { running, texts, project, channel, say } = scene;
  const startedAt = Date.now();
  await running.start(scene.workers);
  // A worker waits for a period before the first messages of a partition.
  await doneAfter(scene, [...busy, quiet]);
  const alone = await doneAfter(scene, ofQuiet());
  say('Publishing the messages of the busy keys.');
  await publish(
    scene,
    Array.from({ length: scene.messages }, (_, n) => busy[n % busy.length] as string),
  );
  const behind = await doneAfter(scene, ofQuiet());
  say('Waiting until the partitions are empty.');
  await reached(0, async () => -(await readyIn(channel, partitionNames)));
  const beside = await doneAfter(scene, ofQuiet());
  say(`${alone} ms alone, ${behind} ms behind the others, ${beside} ms beside them.`);
  await strike(scene);
  say('Waiting until all messages are done.');
  await reached(texts.length, () => done(scene));
  await running.stop();
  const outcome = {
    notes: await readNotes(project.notesFile),
    texts,
    limit,
    concurrency,
    startedAt,
    killed: running.killed,
    endings: running.endings,
    left: await readyIn(channel, [...partitionNames, ...partitionNames.map(parkedQueue)]),
    deadLetters: (await channel.checkQueue(deadLetters)).messageCount,
  };
  return [
    ...countKeys(outcome),
    ...(scene.timed ? countShares({ alone, behind, beside, others: scene.messages }) : []),
  ];
}

/** Publishes a message of each key. @returns the messages. */
async function publish({ chance, texts, channel }: Scene, keys: readonly string[]): Promise<KeyedText[]> {
  const own = keys.map((tenant, index) => {
    const ms = tenant === quiet ? 20 : chance.between(0, 10);
    return { n: texts.length + index, ms, failures: 0, tenant };
  });
  texts.push(...own);
  await publishTexts(channel, own);
  return own;
}

/** Publishes messages. @returns milliseconds until they are done. */
async function doneAfter(scene: Scene, keys: readonly string[]): Promise<number> {
  const since = Date.now();
  const own = new Set((await publish(scene, keys)).map(({ n }) => n));
  const notes = async () =>
    (await readNotes(scene.project.notesFile)).filter(({ step, n }) => step === 'done' && own.has(n));
  await reached(own.size, async () => (await notes()).length, 20);
  return Math.max(0, ...(await notes()).map(({ at }) => at - since));
}

/** Kills workers, one after the other, at moments that are spread over the messages that are left. */
async function strike(scene: Scene): Promise<void> {
  const { chance, kills, texts, running, workers, say } = scene;
  const begun = await done(scene);
  for (let n = 0; n < kills; n += 1) {
    const part = (n + 0.2 + chance.next() * 0.6) / (kills + 1);
    await reached(Math.floor(begun + part * (texts.length - begun)), () => done(scene), 20);
    const which = n % workers;
    say(`Kill ${n + 1} of ${kills}: worker ${which + 1}.`);
    await running.kill(running.pidOf(which));
  }
}

const ofQuiet = (): string[] => Array.from({ length: few }, () => quiet);

const done = async ({ project }: Scene): Promise<number> => doneIn(await readNotes(project.notesFile));

/** Messages that wait in queues. */
async function readyIn(channel: ConfirmChannel, names: readonly string[]): Promise<number> {
  let ready = 0;
  for (const name of names) ready += (await channel.checkQueue(name)).messageCount;
  return ready;
}
