import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type ConfirmChannel, connect } from 'amqplib';
import { partitionQueue } from '../../runtime/topology/names.ts';
import { reached } from '../course/progress.ts';
import type { Project } from '../course/project.ts';
import { Workers } from '../course/workers.ts';
import type { Count } from '../faults/compare.ts';
import type { KeysOptions } from './keys.ts';
import { publishTexts } from './messages.ts';
import { readNotes } from './notes.ts';
import { makeLimitsProject, queue } from './project.ts';

const partitions = 8;
const concurrency = 2;
const few = 10;
/** Milliseconds of the work of a message of the backlog, and of the few. */
const [shortMs, longMs] = [5, 20];
/** Milliseconds in which a worker without messages subscribes anew, if the sizes of those before allow it to read further ahead. */
const idleMs = 1500;
const partitionNames = Array.from({ length: partitions }, (_, index) => partitionQueue(queue, index));

/** The tenant of the backlog, and one whose messages are in the same partition, and in another one. */
interface Tenants {
  busy: string;
  same: string;
  other: string;
}

/** Options of `runBehind`. */
export interface BehindOptions
  extends Pick<KeysOptions, 'messages' | 'processes' | 'maxMessageBytes' | 'say'> {
  /** Limit of each key, such as `100/second`, default none. */
  keyLimit?: string | undefined;
  /** When the many are published, default both. */
  moments?: readonly (keyof typeof moments)[];
  /** Makes an empty vhost, and returns its URL. */
  vhost: () => Promise<string>;
}

interface Scene extends BehindOptions {
  amqpUrl: string;
  channel: ConfirmChannel;
  project: Project;
  tenants: Tenants;
}

const moments = {
  running: { when: 'published while the worker runs', measure: whileRunning },
  before: { when: 'that waited while no worker ran', measure: afterStart },
};

/**
 * Measures how long ten messages of a tenant take behind many of another one, in the same partition and in another one, at one worker: if
 * the many are published while it runs, and if they waited while no worker ran.
 *
 * @returns the milliseconds; those of more than twice the time alone are problems.
 */
export async function runBehind(options: BehindOptions): Promise<Count[]> {
  const counts: Count[] = [];
  for (const moment of options.moments ?? (['running', 'before'] as const)) {
    const { when, measure } = moments[moment];
    const alone = await inScene(options, (scene) => measure(scene, 0, scene.tenants.same));
    for (const where of ['same', 'other'] as const) {
      const ms = await inScene(options, (scene) => measure(scene, scene.messages, scene.tenants[where]));
      options.say(`${when}, in the ${where} partition: ${ms} ms, ${alone} ms alone`);
      const place = where === 'same' ? 'the same' : 'another';
      counts.push({
        what: `ten messages behind ${options.messages} ${when}, in ${place} partition`,
        expected: `at most ${2 * alone} ms: twice ${alone} alone`,
        got: ms,
        problems: ms <= 2 * alone ? [] : [`${ms} ms, ${(ms / alone).toFixed(1)} times the time alone`],
      });
    }
  }
  return counts;
}

async function inScene(options: BehindOptions, measure: (scene: Scene) => Promise<number>): Promise<number> {
  const amqpUrl = await options.vhost();
  const model = await connect(amqpUrl);
  const { maxMessageBytes, keyLimit } = options;
  const perKey = { of: 'header.tenant', concurrency, ...(keyLimit && { limit: keyLimit }) };
  const settings = { concurrency: 8, perKey, partitions, maxMessageBytes };
  const project = await makeLimitsProject({ amqpUrl, settings });
  try {
    const channel = await model.createConfirmChannel();
    const tenants = await findTenants(channel);
    return await measure({ ...options, amqpUrl, channel, project, tenants });
  } finally {
    await Promise.all([model.close(), project.remove()]);
  }
}

async function whileRunning(scene: Scene, messages: number, tenant: string): Promise<number> {
  const { project, amqpUrl, processes, channel } = scene;
  const workers = new Workers(project, amqpUrl, processes);
  try {
    await workers.start(1);
    // All of its code has run before.
    await publish(channel, 0, 100, 'warm', shortMs);
    await publish(channel, 100, 100, scene.tenants.busy, shortMs);
    await publish(channel, 200, few, tenant, longMs);
    await doneIn(project, 0, 200 + few);
    await pause(idleMs);
    // The first of a subscription wait for a period.
    await publish(channel, 300, few, tenant, longMs);
    await doneIn(project, 300, few);
    await publish(channel, 1000, messages, scene.tenants.busy, shortMs);
    const since = Date.now();
    await publish(channel, 1000 + messages, few, tenant, longMs);
    return (await doneIn(project, 1000 + messages, few)) - since;
  } finally {
    await workers.stop();
  }
}

async function afterStart(scene: Scene, messages: number, tenant: string): Promise<number> {
  const { project, amqpUrl, processes, channel } = scene;
  await publish(channel, 0, messages, scene.tenants.busy, shortMs);
  await publish(channel, messages, few, tenant, longMs);
  const workers = new Workers(project, amqpUrl, processes);
  try {
    await workers.start(1);
    const at = await doneIn(project, messages, few);
    return at - (await consumingSince(project));
  } finally {
    await workers.stop();
  }
}

/** When the first worker began to consume, in milliseconds since 1970. */
async function consumingSince({ folder }: Project): Promise<number> {
  const lines = (await readFile(join(folder, 'worker-1.log'), 'utf8')).split('\n');
  const line = lines.find((each) => each.includes('"consuming"')) ?? '{}';
  return Date.parse((JSON.parse(line.slice(line.indexOf('{'))) as { time: string }).time);
}

function publish(
  channel: ConfirmChannel,
  first: number,
  count: number,
  tenant: string,
  ms: number,
): Promise<void> {
  const texts = Array.from({ length: count }, (_, n) => ({ n: first + n, ms, failures: 0, tenant }));
  return publishTexts(channel, texts);
}

/** Waits for messages. @returns when the last of them was done, in milliseconds since 1970. */
async function doneIn(project: Project, first: number, count: number): Promise<number> {
  const own = async () =>
    (await readNotes(project.notesFile)).filter(
      ({ step, n }) => step === 'done' && n >= first && n < first + count,
    );
  await reached(count, async () => (await own()).length, 50);
  const notes = await own();
  if (notes.length < count) throw new Error(`expected ${count} messages to be done, got ${notes.length}`);
  return Math.max(...notes.map(({ at }) => at));
}

/** Publishes a message of each of some tenants, and looks where it waits. */
async function findTenants(channel: ConfirmChannel): Promise<Tenants> {
  const places: string[] = [];
  for (let n = 0; n < 50; n += 1) {
    await publish(channel, 0, 1, `tenant ${n}`, 0);
    for (const name of partitionNames) {
      if ((await channel.purgeQueue(name)).messageCount > 0) places.push(name);
    }
    const same = places.indexOf(places[0] as string, 1);
    const other = places.findIndex((place) => place !== places[0]);
    if (same > 0 && other > 0) return { busy: 'tenant 0', same: `tenant ${same}`, other: `tenant ${other}` };
  }
  throw new Error('expected the tenants to be in several partitions');
}
