/**
 * Simulates 1 to 1,000,000 messages a second from measured times: `npm run bench:scale` prints the tables of docs/scale.md. With
 * `-- --plot`, it also plots costs and limits into results/scale.svg.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { breaks, demand, seeded, waits } from './scale-model.ts';
import { plotScale } from './scale-plot.mjs';
import { works } from './scale-works.mjs';

const here = (name) => new URL(`results/${name}`, import.meta.url);
const { results } = JSON.parse(readFileSync(here('2026-11-29.json'), 'utf8'));
const measured = (title, name) => {
  const row = results.find((each) => each.title === title)?.rows.find((each) => each.name === name);
  if (!row) throw new Error(`${title}, ${name}: expected a row, got none`);
  return { perSecond: row.perSecond.median, coreSeconds: row.cpuMicroseconds.median / 1e6 };
};

const [newest] = readdirSync(here('.'))
  .filter((name) => name.startsWith('scale-workers-'))
  .toSorted()
  .toReversed();
const fleet = JSON.parse(readFileSync(here(newest), 'utf8'));
const most = fleet.rows.find(({ workers, queues }) => workers === 16 && queues === 'each');

const consumed = measured('Consuming full messages', 'Warren, batch 100');
const published = measured('Publishing with confirms, 500 outstanding', 'Warren');
const limits = {
  // Both had the two cores of broker and client for themselves, so that one message takes the sum of both times.
  queue: Math.round(1 / (1 / published.perSecond + 1 / consumed.perSecond)),
  // docs/benchmarks.md, effects: a row in a batch of 100 took 0.14 ms, on two cores with the broker and the function.
  statements: Math.round(1 / 0.00014),
  // Its publish with a confirm, and its consumption by sixteen workers with a queue each.
  brokerCoreSeconds: (most.publishUs + most.consumeUs) / 1e6,
  // Lambda's default for an account.
  callsAtOnce: 1000,
};

const rates = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000];

const number = (value) => {
  const rounded = value < 10 ? Number(value.toPrecision(2)) : Math.round(Number(value.toPrecision(3)));
  return rounded.toLocaleString('en');
};
const table = (head, rows) =>
  [
    `| ${head.join(' | ')} |`,
    `|${'---|'.repeat(head.length)}`,
    ...rows.map((cells) => `| ${cells.join(' | ')} |`),
  ].join('\n');

for (const work of works) {
  const rows = rates.map((rate) => demand(work, rate, limits));
  console.log(`\n**${work.name}**\n`);
  console.log(
    table(
      [
        'messages/s',
        'workers',
        'queues',
        'cores of brokers',
        'databases',
        'calls at a time on Lambda',
        'Lambda, $ a month',
        'containers, $ a month',
      ],
      rows.map((row) =>
        [
          ...[row.rate, row.workers, row.queues, row.brokerCores, row.databases, row.lambdaAtOnce],
          ...[row.lambdaMonthly, row.containersMonthly],
        ].map(number),
      ),
    ),
  );
}
console.log(
  `\n${table(
    ['work', 'meets its limits in this order (messages/s)'],
    works.map((work) => [
      work.name,
      breaks(work, limits)
        .map(({ limit, rate }) => `${limit} (${number(rate)})`)
        .join(', '),
    ]),
  )}`,
);

const numbers = ['perSecond', 'workerUs', 'publishUs', 'consumeUs', 'megabytes'];
console.log(
  `\n${table(
    [
      'workers',
      'queues',
      'messages/s',
      'us: workers',
      'us: broker, publish',
      'us: broker, consume',
      'MB each',
      'share',
    ],
    fleet.rows.map((row) => [
      row.workers,
      row.queues,
      ...numbers.map((key) => number(row[key])),
      `${row.leastShare.toFixed(2)} to ${row.mostShare.toFixed(2)}`,
    ]),
  )}`,
);

const [, , , booking] = works;
const load = [0.5, 0.67, 0.8, 0.9, 0.95, 0.99];
console.log(
  `\n${table(
    ['busy', ...[10, 100, 1000].flatMap((servers) => [`${servers} calls: median`, '99 in 100'])],
    load.map((share) => [
      `${Math.round(share * 100)} %`,
      ...[10, 100, 1000].flatMap((servers) => {
        const rate = (servers * share) / booking.seconds;
        const { median, late } = waits(rate, servers, booking.seconds, 300_000, seeded(7));
        return [median, late].map((seconds) => `${number(seconds * 1000)} ms`);
      }),
    ]),
  )}`,
);

if (process.argv.includes('--plot')) {
  const plotted = works.map((work) => ({
    name: work.name,
    rows: rates.map((rate) => demand(work, rate, limits)),
    limits: breaks(work, limits),
  }));
  writeFileSync(here('scale.svg'), plotScale(plotted, fleet));
}
