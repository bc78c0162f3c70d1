import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { plot } from './plot.mjs';

const folder = fileURLToPath(new URL('results/', import.meta.url));

/**
 * Prints the results, and writes them as JSON and as a plot.
 *
 * @param settings `rounds` and `messages` of this run, and `quick` if its results are only printed.
 */
export async function report(results, settings) {
  const lines = results.flatMap(({ title, rows }) => ['', title, ...rows.map(lineOf)]);
  console.log(lines.join('\n'));
  console.log(
    '\nRelative to the first contestant of each group, plain amqplib: median (range). "again" compares that one with itself.',
  );
  if (settings.quick) return;
  const date = new Date().toISOString().slice(0, 10);
  const machine = { cores: cpus().length, node: process.version, ...settings };
  await mkdir(folder, { recursive: true });
  await writeFile(`${folder}${date}.json`, `${JSON.stringify({ date, machine, results }, null, 2)}\n`);
  await writeFile(`${folder}throughput.svg`, plot(byRate(results[0])));
  console.log(`Raw numbers: dev/bench/results/${date}.json, a plot: dev/bench/results/throughput.svg`);
}

/** The plot shows messages per second. */
function byRate({ title, rows }) {
  return { title, rows: rows.map(({ perSecond, ...row }) => ({ ...row, ...perSecond })) };
}

function lineOf(row) {
  const name = row.name.padEnd(44);
  if (row.ms !== undefined) return `  ${name} ${row.ms.toFixed(2)} ms (median)`;
  const part = ({ ratio, least, most }) => `${ratio.toFixed(2)} (${least.toFixed(2)} to ${most.toFixed(2)})`;
  const { perSecond, cpuMicroseconds } = row;
  const cpu = cpuMicroseconds
    ? `; CPU time ${part(cpuMicroseconds)}, ${cpuMicroseconds.median.toFixed(1)} us`
    : '';
  return `  ${name} per second ${part(perSecond)}, ${Math.round(perSecond.median)}${cpu}`;
}
