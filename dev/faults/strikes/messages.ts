import { replayDeadLetters } from '../../../runtime/dead-letters/replay.ts';
import { type Fault, seconds, within, writing } from '../fault.ts';
import { begun, done, isDead, newGate, sendMany, someDone } from '../own-messages.ts';
import { openGate, readRuns } from '../runs.ts';

const [work, deadly] = ['faults-work', 'faults-deadly'] as const;

/** Number of the harmless messages on each side of a harmful one. */
const neighbors = 10;

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

/** Faults that a message causes, or that hit the queue of a message. */
export const messageFaults: readonly Fault[] = [
  poison('a message that kills its process', work, 'exit', 180),
  poison('a message that needs too much memory', work, 'memory', 270),
  poison('a message that kills its process twenty times', deadly, 'exit', 600),
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
    name: 'a replay of dead letters that is interrupted',
    takes: () => 12,
    redelivers: true,
    mayDouble: () => writing,
    async strike(scene) {
      const { parts } = scene;
      const gate = newGate();
      const ids = await sendMany(scene, 40, work, { does: 'reject', gate }, 'done');
      if (!(await within(30, () => isDead(scene, ids)))) scene.unfelt('not every message was dead-lettered');
      await openGate(parts.folder, gate);
      const replay = (oneAtATime: boolean) =>
        replayDeadLetters(parts.env.AMQP_URL, { id: ids, queue: work }, { oneAtATime });
      // Some round trips for each dead letter: slow enough to be interrupted.
      parts.links.broker.slow(50);
      const first = replay(true).catch(() => undefined);
      await within(10, () => someDone(scene, ids));
      parts.links.broker.cut();
      parts.links.broker.slow(0);
      if (await first) scene.unfelt('the replay ended before it was interrupted');
      await within(20, async () => {
        const result = await replay(false).catch(() => undefined);
        return result?.stayed.length === 0;
      });
      if (!(await within(20, () => done(scene, ids)))) scene.broken('not every replayed message was done');
    },
  },
];
