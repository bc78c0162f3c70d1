import { connect } from 'amqplib';
import { reached } from '../course/progress.ts';
import { Workers } from '../course/workers.ts';
import type { Count } from '../faults/compare.ts';
import { chanceFrom } from '../faults/seed.ts';
import type { CourseOptions } from './course.ts';
import { makeOrders, publishOrders } from './messages.ts';
import { doneIn, readNotes } from './notes.ts';
import { makeOrderProject } from './project.ts';

type RateOptions = Omit<CourseOptions, 'AMQP_URL' | 'kills' | 'rolls' | 'broken'> & {
  /** Comparisons, whose median counts. */
  rounds: number;
};

/** The least part of the rate without an order: a worker has the keys of its partitions only, so its calls do not fill. */
const least = 0.5;

/**
 * Compares the rate of a queue that keeps the order of each customer with that of one that does not, in turns: other work on the machine
 * changes both.
 *
 * @param vhost makes an empty vhost, and returns its URL.
 */
export async function compareRates(vhost: () => Promise<string>, options: RateOptions): Promise<Count> {
  const parts: number[] = [];
  for (let round = 0; round < options.rounds; round += 1) {
    const rates = { plain: 0, ordered: 0 };
    const turns = round % 2 === 0 ? (['plain', 'ordered'] as const) : (['ordered', 'plain'] as const);
    for (const turn of turns) rates[turn] = await rateOf(await vhost(), turn === 'ordered', options);
    const { plain, ordered } = rates;
    options.say(`${Math.round(plain)} messages a second without an order, ${Math.round(ordered)} with it.`);
    parts.push(ordered / plain);
  }
  const sorted = parts.toSorted((one, other) => one - other);
  const part = sorted[Math.floor(sorted.length / 2)] ?? 0;
  return {
    what: 'part of the rate without an order',
    expected: `${least} or more`,
    got: `${part.toFixed(2)} of ${sorted.map((each) => each.toFixed(2)).join(', ')}`,
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
