import { replayDeadLetters } from '../../../runtime/dead-letters/replay.ts';
import { readEach } from '../../../runtime/dead-letters/visit.ts';
import { type Fault, type Scene, seconds, within, writing } from '../fault.ts';
import type { Work } from '../requests.ts';
import { openGate, readRuns } from '../runs.ts';

const [work, beside, deadly] = ['faults-work', 'faults-beside', 'faults-deadly'] as const;

/** Number of the harmless messages on each side of a harmful one. */
const neighbors = 10;

/** Returns whether each of these messages has begun so often. */
const begun = async ({ parts }: Scene, ids: readonly string[], times = 1) => {
  const runs = await readRuns(parts.folder);
  return ids.every((id) => (runs.get(id)?.begun.length ?? 0) >= times);
};
const done = async ({ parts }: Scene, ids: readonly string[]) => {
  const runs = await readRuns(parts.folder);
  return ids.every((id) => (runs.get(id)?.done.length ?? 0) > 0);
};
const someDone = async ({ parts }: Scene, ids: readonly string[]) => {
  const runs = await readRuns(parts.folder);
  return ids.some((id) => (runs.get(id)?.done.length ?? 0) > 0);
};
const isDead = async ({ parts }: Scene, ids: readonly string[]) => {
  const missing = new Set(ids);
  await readEach(parts.direct.AMQP_URL, { id: ids }, ({ id }) => {
    missing.delete(id);
    return missing.size > 0;
  });
  return missing.size === 0;
};

const sendMany = ({ requests }: Scene, count: number, queue: string, each: Work, end: 'done' | 'either') =>
  Promise.all(Array.from({ length: count }, () => requests.send(queue, each, end)));

/** A message that ends its process, among others that do no harm: it is dead-lettered, and they are done. */
const poison = (name: string, queue: string, does: 'exit' | 'memory', limit: number): Fault => ({
  name,
  takes: () => 20,
  mayDouble: () => writing,
  redelivers: true,
  async strike(scene) {
    await sendMany(scene, neighbors, queue, { does: 'work' }, 'done');
    const id = await scene.requests.send(queue, { does }, 'dead-lettered');
    await sendMany(scene, neighbors, queue, { does: 'work' }, 'done');
    if (!(await within(limit, () => isDead(scene, [id])))) {
      scene.broken(`the message was not dead-lettered within ${limit} s`);
    }
    if (!(await begun(scene, [id], 2))) scene.unfelt('the message did not run twice');
  },
});

/** More than the consumers of all workers take at a time. */
const held = 100;

/** Messages that fail once beside a disturbed queue come home from their retry queue in time. */
async function watchBeside(scene: Scene, gate: string): Promise<void> {
  const ids = await sendMany(scene, 3, beside, { does: 'wait', gate }, 'done');
  await within(10, () => begun(scene, ids));
  await openGate(scene.parts.folder, gate);
  const limit = 15;
  if (!(await within(limit, () => done(scene, ids)))) {
    scene.broken(`retries of another queue were not done within ${limit} s`);
  }
}

let gates = 0;
const newGate = () => {
  gates += 1;
  return `gate-${gates}`;
};

/** Faults that a message causes, or that hit the queue of a message. */
export const messageFaults: readonly Fault[] = [
  poison('a message that kills its process', work, 'exit', 60),
  poison('a message that needs too much memory', work, 'memory', 90),
  {
    name: 'a message that blocks the event loop',
    takes: () => 14,
    async strike(scene) {
      const id = await scene.requests.send(work, { does: 'block' }, 'done');
      if (!(await within(30, () => begun(scene, [id])))) scene.unfelt('the message did not run');
      await within(30, () => done(scene, [id]));
    },
  },
  {
    name: 'a call that kills its process',
    takes: () => 10,
    mayDouble: () => writing,
    redelivers: true,
    async strike({ requests, workers, unfelt, parts }) {
      const before = workers.crashes();
      await requests.record({ deadly: true });
      const id = requests.accepted.recorded.at(-1)?.id ?? '';
      const ran = async () => workers.crashes() > before || (await readRuns(parts.folder)).has(id);
      if (!(await within(10, ran))) unfelt('no process was killed');
      await seconds(8);
    },
  },
  {
    name: 'a queue removed while its messages wait to be retried, and made again',
    takes: () => 25,
    async strike(scene) {
      const { parts } = scene;
      const gate = newGate();
      const ids = await sendMany(scene, 40, work, { does: 'wait', gate }, 'either');
      if (!(await within(20, () => begun(scene, ids)))) scene.unfelt('not every message failed once');
      await parts.broker.control('delete_queue', work);
      await watchBeside(scene, newGate());
      await openGate(parts.folder, gate);
      await parts.applyAgain();
      await within(30, async () => (await done(scene, ids)) || (await isDead(scene, ids)));
    },
  },
  {
    name: 'a full queue with 40 messages that wait to be retried',
    takes: () => 30,
    async strike(scene) {
      const { parts } = scene;
      const [gate, hold] = [newGate(), newGate()];
      const ids = await sendMany(scene, 40, work, { does: 'wait', gate }, 'either');
      if (!(await within(20, () => begun(scene, ids)))) scene.unfelt('not every message failed once');
      const definition = JSON.stringify({ 'max-length': 1, 'delivery-limit': 3 });
      const policy = ['--priority', '1', '--apply-to', 'queues', 'full-work', `^${work}$`, definition];
      // The consumers hold what they have, and the queue fills behind them.
      await sendMany(scene, held, work, { does: 'hold', gate: hold }, 'done');
      await parts.broker.control('set_policy', ...policy);
      await watchBeside(scene, newGate());
      await openGate(parts.folder, gate);
      await openGate(parts.folder, hold);
      await parts.broker.control('clear_policy', 'full-work');
    },
  },
  {
    name: 'a replay of dead letters that is interrupted',
    takes: () => 12,
    async strike(scene) {
      const { parts } = scene;
      const gate = newGate();
      const ids = await sendMany(scene, 40, work, { does: 'reject', gate }, 'done');
      if (!(await within(30, () => isDead(scene, ids)))) scene.unfelt('not every message was dead-lettered');
      await openGate(parts.folder, gate);
      const replay = () => replayDeadLetters(parts.env.AMQP_URL, { id: ids, queue: work });
      const first = replay().catch(() => undefined);
      await within(5, () => someDone(scene, ids));
      parts.links.broker.cut();
      if (await first) scene.unfelt('the replay ended before it was interrupted');
      await within(20, async () => {
        const result = await replay().catch(() => undefined);
        return result?.stayed.length === 0;
      });
      if (!(await within(20, () => done(scene, ids)))) scene.broken('not every replayed message was done');
    },
  },
];

/** Faults that today's code does not survive: see docs/faults.md. */
export const deadlyFaults: readonly Fault[] = [
  poison('a message that kills its process twenty times', deadly, 'exit', 240),
];
