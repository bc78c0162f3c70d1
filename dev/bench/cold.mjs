// Cold starts: how long the import of each function's bundle takes in a fresh process, beside a bundle of only the libraries that
// the same files name in their imports. Both take turns, ten times; the ratio is the median of all pairs. No machine is quiet: what is
// above the limit is measured again once all others were, twice at most, and all its pairs count, so that a slow bundle stays slow.
// And it is slow where it takes the processor longer, too: others on the machine stretch the time by the clock alone, and an import
// waits for nothing but the processor and the disk.
//   npm run bench:cold [function ...]
import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import Table from 'cli-table3';
import { bundleOf, librariesOf } from '../../test/support/deploy/bundles.ts';
import { readService } from '../../test/support/deploy/serverless.ts';

const limit = 1.15;
const rounds = 10;
const passes = 3;
const folder = join(import.meta.dirname, '..', '..', '.data', `cold-${process.pid}`);

const timer =
  'const c = process.cpuUsage(), t = performance.now(); await import(process.argv[1]); const ms = performance.now() - t; ' +
  'const { user, system } = process.cpuUsage(c); console.log(JSON.stringify({ ms, cpu: (user + system) / 1000 })); process.exit()';

async function measureImport(file) {
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', timer, file]);
  return JSON.parse(stdout.trim().split('\n').at(-1));
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

async function addPairs({ own, libraries, pairs }) {
  for (let round = 0; round < rounds; round++) {
    // Who comes first would be slower or faster for that alone.
    const first = round % 2 === 0;
    const a = await measureImport(first ? own : libraries);
    const b = await measureImport(first ? libraries : own);
    pairs.push(first ? [a, b] : [b, a]);
  }
}

const ratioOf = ({ pairs }, unit) => median(pairs.map(([own, libraries]) => own[unit] / libraries[unit]));
const isSlow = (each) => ['ms', 'cpu'].every((unit) => ratioOf(each, unit) > limit);

const { functions } = await readService();
const wanted = process.argv.slice(2);
const measured = [];
await mkdir(folder, { recursive: true });
try {
  for (const [key, { handler }] of Object.entries(functions)) {
    if (wanted.length > 0 && !wanted.includes(key)) continue;
    const [own, libraries] = ['own', 'libraries'].map((name) => join(folder, `${key}-${name}.mjs`));
    const { code } = await bundleOf(handler);
    await writeFile(own, code);
    await writeFile(libraries, (await librariesOf(handler)).code);
    measured.push({ key, own, libraries, bytes: Buffer.byteLength(code), pairs: [] });
  }
  let doubtful = measured;
  for (let pass = 0; pass < passes && doubtful.length > 0; pass++) {
    for (const each of doubtful) {
      await addPairs(each);
      console.error(`${each.key}: ${ratioOf(each, 'ms').toFixed(2)} (${each.pairs.length} pairs)`);
    }
    doubtful = doubtful.filter((each) => ratioOf(each, 'ms') > limit);
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
const table = new Table({
  head: ['function', 'bundle, kB', 'import, ms', 'libraries only, ms', 'ratio', 'of processor time'],
  colAligns: ['left', 'right', 'right', 'right', 'right', 'right'],
});
for (const each of measured) {
  const ms = [0, 1].map((n) => median(each.pairs.map((pair) => pair[n].ms)).toFixed(0));
  const ratios = ['ms', 'cpu'].map((unit) => ratioOf(each, unit).toFixed(2));
  table.push([each.key, Math.round(each.bytes / 1000), ...ms, ...ratios]);
}
console.log(String(table));
const slow = measured.filter(isSlow).map(({ key }) => key);
if (slow.length > 0) {
  console.error(`slower than ${limit} times their libraries: ${slow.join(', ')}`);
  process.exitCode = 1;
}
