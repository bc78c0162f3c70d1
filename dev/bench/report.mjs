import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { plot } from './plot.mjs';

const folder = fileURLToPath(new URL('results/', import.meta.url));

/**
 * Prints the results, and writes them as JSON and as a plot.
 *
 * @param settings `rounds` and `messages` of this run.
 */
export async function report(results, settings) {
  const lines = results.flatMap(({ title, rows }) => ['', title, ...rows.map(lineOf)]);
  console.log(lines.join('\n'));
  console.log(
    '\nTimes: relative to the first contestant of each group, plain amqplib. "again" compares that one with itself.',
  );
  const date = new Date().toISOString().slice(0, 10);
  const machine = { cores: cpus().length, node: process.version, ...settings };
  await mkdir(folder, { recursive: true });
  await writeFile(`${folder}${date}.json`, `${JSON.stringify({ date, machine, results }, null, 2)}\n`);
  await writeFile(`${folder}throughput.svg`, plot(results[0]));
  console.log(`Raw numbers: dev/bench/results/${date}.json, a plot: dev/bench/results/throughput.svg`);
}

function lineOf(row) {
  const name = row.name.padEnd(44);
  if (row.ms !== undefined) return `  ${name} ${row.ms.toFixed(2)} ms (median)`;
  const range = `${row.least.toFixed(2)} to ${row.most.toFixed(2)}`;
  return `  ${name} ${row.ratio.toFixed(2)} times  (${range}; ${row.perSecond} per second)`;
}
