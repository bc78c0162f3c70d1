/**
 * Simulates 1 to 1,000,000 messages a second from measured times: `npm run bench:scale` prints the tables of docs/scale.md. With
 * `-- --plot`, it also plots workers and costs into results/scale.svg.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { plotLines } from './plot-lines.mjs';
import { breaks, demand, seeded, waits } from './scale-model.ts';

const here = (name) => new URL(`results/${name}`, import.meta.url);
const { results } = JSON.parse(readFileSync(here('2026-11-29.json'), 'utf8'));
const measured = (title, name) => {
  const row = results.find((each) => each.title === title)?.rows.find((each) => each.name === name);
  if (!row) throw new Error(`${title}, ${name}: expected a row, got none`);
  return { perSecond: row.perSecond.median, coreSeconds: row.cpuMicroseconds.median / 1e6 };
};

const consumed = measured('Consuming full messages', 'Warren, batch 100');
const published = measured('Publishing with confirms, 500 outstanding', 'Warren');
const limits = {
  // Both had the two cores of broker and client for themselves, so that one message takes the sum of both times.
  queue: Math.round(1 / (1 / published.perSecond + 1 / consumed.perSecond)),
  // docs/benchmarks.md, effects: a row in a batch of 100 took 0.14 ms, on two cores with the broker and the function.
  statements: Math.round(1 / 0.00014),
  // Lambda's default for an account.
  callsAtOnce: 1000,
};

// docs/benchmarks.md: isolation (72 us, and 38 us in batches), effects (0.61 ms and 0.14 ms), orders (88 a second and worker).
const works = [
  {
    ...{ name: 'nothing, batches of 100', coreSeconds: 38e-6, seconds: 0.004, statements: 0 },
    ...{ batch: 100, lambdaSeconds: 0.02, gb: 0.25, concurrency: 1 },
  },
  {
    ...{ name: 'a row, batches of 100', coreSeconds: 0.14e-3, seconds: 0.014, statements: 1 },
    ...{ batch: 100, lambdaSeconds: 0.1, gb: 0.25, concurrency: 1 },
  },
  {
    ...{ name: 'a row, one at a time', coreSeconds: 0.61e-3, seconds: 0.61e-3, statements: 1 },
    ...{ batch: 1, lambdaSeconds: 0.02, gb: 0.25, concurrency: 1 },
  },
  {
    ...{ name: 'a booking', coreSeconds: 1 / 88, seconds: 0.1, statements: 6 },
    ...{ batch: 1, lambdaSeconds: 0.05, gb: 0.25, concurrency: 10 },
  },
  {
    ...{ name: 'a picture', coreSeconds: 1, seconds: 1, statements: 4 },
    ...{ batch: 1, lambdaSeconds: 1, gb: 2, concurrency: 2 },
  },
];
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
        'databases',
        'calls at a time on Lambda',
        'Lambda, $ a month',
        'containers, $ a month',
      ],
      rows.map((row) =>
        [
          ...[row.rate, row.workers, row.queues, row.databases, row.lambdaAtOnce],
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
  const plots = works.slice(1).flatMap((work) => {
    // Without one of them, so that the labels have room.
    const rows = rates.filter((rate) => rate !== 100_000).map((rate) => demand(work, rate, limits));
    return [
      { title: `${work.name}: workers`, x: 'rate', y: 'workers', rows },
      {
        title: `${work.name}: % of Lambda's`,
        ...{ x: 'rate', y: 'ratio' },
        rows: rows.map((row) => ({
          rate: row.rate,
          ratio: (100 * row.containersMonthly) / row.lambdaMonthly,
        })),
      },
    ];
  });
  writeFileSync(here('scale.svg'), plotLines(plots));
}
