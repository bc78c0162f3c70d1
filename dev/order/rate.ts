import { connect } from 'amqplib';
import { reached } from '../course/progress.ts';
import { Workers } from '../course/workers.ts';
import type { Count } from '../faults/compare.ts';
import { chanceFrom } from '../faults/seed.ts';
import type { CourseOptions } from './course.ts';
import { makeOrders, publishOrders } from './messages.ts';
import { doneIn, readNotes } from './notes.ts';
import { makeOrderProject } from './project.ts';

type RateOptions = Omit<CourseOptions, 'AMQP_URL' | 'kills' | 'rolls' | 'broken'>;

/** The least part of the rate without an order: a worker has the keys of its partitions only, so its calls do not fill. */
const least = 0.5;

/**
 * Compares the rate of a queue that keeps the order of each customer with that of one that does not.
 *
 * @param urls of two empty vhosts.
 */
export async function compareRates(urls: readonly [string, string], options: RateOptions): Promise<Count> {
  const plain = await rateOf(urls[0], false, options);
  const ordered = await rateOf(urls[1], true, options);
  const part = ordered / plain;
  options.say(`${Math.round(plain)} messages a second without an order, ${Math.round(ordered)} with it.`);
  return {
    what: 'part of the rate without an order',
    expected: `${least} or more`,
    got: part.toFixed(2),
    problems: part >= least ? [] : [`expected at least ${least}, got ${part.toFixed(2)}`],
  };
}

/** Messages a second of workers that find all messages in the queue. */
async function rateOf(amqpUrl: string, ordered: boolean, options: RateOptions): Promise<number> {
  const { seed, messages, customers } = options;
  const orders = makeOrders(chanceFrom(`rate ${seed}`), messages, customers, 0);
  const model = await connect(amqpUrl);
  const project = await makeOrderProject({ amqpUrl, ordered });
  const workers = new Workers(project, amqpUrl, options.processes);
  try {
    await publishOrders(await model.createConfirmChannel(), orders);
    await workers.start(options.workers);
    await reached(orders.length, async () => doneIn(await readNotes(project.notesFile)));
    const notes = await readNotes(project.notesFile);
    const [first, last] = [notes[0], notes.at(-1)];
    if (!first || !last) throw new Error('expected notes of the workers, found none');
    return (doneIn(notes) * 1000) / (last.at - first.at);
  } finally {
    await workers.stop();
    await Promise.all([model.close(), project.remove()]);
  }
}
