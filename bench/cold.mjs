// Cold starts: how long the import of each function's bundle takes in a fresh process, beside a bundle of only the libraries that
// the same files name in their imports. Both take turns, ten times; the ratio is the median of ten. The machine is never quiet:
// a ratio above the limit is measured once more before it counts.
//   npm run bench:cold [function ...]
import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import Table from 'cli-table3';
import { bundleOf, librariesOf } from '../test/deploy/bundles.ts';
import { readService } from '../test/deploy/serverless.ts';

const limit = 1.15;
const rounds = 10;
const folder = join(import.meta.dirname, '..', '.data', `cold-${process.pid}`);

const timer =
  'const t = performance.now(); await import(process.argv[1]); console.log(performance.now() - t); process.exit()';

async function importMs(file) {
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', timer, file]);
  return Number(stdout.trim().split('\n').at(-1));
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

async function measure(own, libraries) {
  const pairs = [];
  for (let round = 0; round < rounds; round++) {
    // Who comes first would be slower or faster for that alone.
    const first = round % 2 === 0;
    const a = await importMs(first ? own : libraries);
    const b = await importMs(first ? libraries : own);
    pairs.push(first ? [a, b] : [b, a]);
  }
  return {
    own: median(pairs.map(([mine]) => mine)),
    libraries: median(pairs.map(([, theirs]) => theirs)),
    ratio: median(pairs.map(([mine, theirs]) => mine / theirs)),
  };
}

const { functions } = await readService();
const wanted = process.argv.slice(2);
const table = new Table({
  head: ['function', 'import, ms', 'libraries only, ms', 'ratio'],
  colAligns: ['left', 'right', 'right', 'right'],
});
const slow = [];
await mkdir(folder, { recursive: true });
try {
  for (const [key, { handler }] of Object.entries(functions)) {
    if (wanted.length > 0 && !wanted.includes(key)) continue;
    const [own, libraries] = ['own', 'libraries'].map((name) => join(folder, `${key}-${name}.mjs`));
    await writeFile(own, (await bundleOf(handler)).code);
    await writeFile(libraries, (await librariesOf(handler)).code);
    let result = await measure(own, libraries);
    if (result.ratio > limit) result = await measure(own, libraries);
    if (result.ratio > limit) slow.push(key);
    table.push([key, result.own.toFixed(0), result.libraries.toFixed(0), result.ratio.toFixed(2)]);
    console.error(`${key}: ${result.ratio.toFixed(2)}`);
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
console.log(String(table));
if (slow.length > 0) {
  console.error(`slower than ${limit} times their libraries: ${slow.join(', ')}`);
  process.exitCode = 1;
}
