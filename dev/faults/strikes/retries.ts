import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { type Fault, type Scene, seconds, within } from '../fault.ts';
import { waiting } from '../leftovers.ts';
import { lastRetryDelay, retryDelays } from '../manifest.ts';
import { begun, done, newGate, sendMany, settled } from '../own-messages.ts';
import { openGate } from '../runs.ts';

const [work, beside] = ['faults-work', 'faults-beside'] as const;

/**
 * Disturbs a queue while 40 of its messages wait to be retried: more than the 32 that RabbitMQ dead-letters from a retry queue at
 * a time. Retries of another queue that wait for the same time have to come home meanwhile.
 */
async function disturb(scene: Scene, begin: () => Promise<unknown>, end: () => Promise<unknown>) {
  const { folder } = scene.parts;
  const [gate, otherGate] = [newGate(), newGate()];
  const others = await sendMany(scene, 3, beside, { does: 'wait', gate: otherGate }, 'done');
  const ids = await sendMany(scene, 40, work, { does: 'wait', gate }, 'either');
  // Now each waits for the last delay. One in the queue itself would be removed with it.
  const wait = async () =>
    (await begun(scene, ids, retryDelays.length)) && !(await waiting(scene.parts)).has(work);
  if (!(await within(90, wait))) scene.unfelt('not every message waited to be retried');
  else {
    await begin();
    // The messages come home meanwhile, in vain.
    await seconds(lastRetryDelay + 2);
    await openGate(folder, otherGate);
    const limit = 2 * lastRetryDelay + 5;
    if (!(await within(limit, () => done(scene, others)))) {
      scene.broken(`retries of another queue were not done within ${limit} s`);
    }
    await end();
  }
  await openGate(folder, otherGate);
  await openGate(folder, gate);
  await within(30, () => settled(scene, ids));
}

/** More than the consumers of all workers take at a time. */
const held = 100;

/** Faults of a queue whose messages wait to be retried. */
export const retryFaults: readonly Fault[] = [
  {
    name: 'a queue removed while its messages wait to be retried, and made again',
    takes: () => 40,
    strike: (scene) =>
      disturb(
        scene,
        () => scene.parts.broker.control('delete_queue', work),
        () => scene.parts.applyAgain(),
      ),
  },
  {
    name: 'a full queue with 40 messages that wait to be retried',
    takes: () => 40,
    async strike(scene) {
      const { broker, direct, folder } = scene.parts;
      const hold = newGate();
      const definition = JSON.stringify({ 'max-length': 1, 'delivery-limit': 3 });
      const policy = ['--priority', '1', '--apply-to', 'queues', 'full-work', `^${work}$`, definition];
      const probe = new Publisher({ url: direct.AMQP_URL, name: 'faults: probe', tries: 1 });
      const fill = async () => {
        // The consumers hold what they have, and the queue fills behind them.
        await sendMany(scene, held, work, { does: 'hold', gate: hold }, 'done');
        await broker.control('set_policy', ...policy);
        const body = { id: 'probe', does: 'work' };
        const refused = await probe.publish({ exchange: '', routingKey: work, body }).then(
          () => false,
          () => true,
        );
        if (!refused) scene.unfelt('the queue was not full');
      };
      await disturb(scene, fill, async () => {
        await openGate(folder, hold);
        await broker.control('clear_policy', 'full-work');
      });
      await openGate(folder, hold);
      await probe.close();
    },
  },
];
