// Cold starts: what the import of each function's bundle takes in a fresh process, beside a bundle of only the parts of libraries that
// the same files import. Both take turns, ten times; the ratio is the median of all pairs, in processor time: others on the machine
// stretch the time by the clock, and an import waits for nothing but the processor and the disk. What is above the limit is measured
// again once all others were, twice at most, and all its pairs count, so that a slow bundle stays slow.
// Then the first message of a few functions, from the start of the process to its effect (first-messages.mjs).
//   npm run bench:cold [-- --imports] [-- --save] [function ...]
import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import Table from 'cli-table3';
import { bundleOf, librariesOf } from '../../test/support/deploy/bundles.ts';
import { readService } from '../../test/support/deploy/serverless.ts';
import { measureFirstMessages } from './first-messages.mjs';
import { machine } from './machine.mjs';
import { median } from './statistics.mjs';

const limit = 1.2;
const rounds = 10;
const passes = 3;
const folder = join(import.meta.dirname, '..', '..', '.data', `cold-${process.pid}`);
const options = { imports: { type: 'boolean' }, save: { type: 'boolean' } };
const { values, positionals: wanted } = parseArgs({ options, allowPositionals: true });

const timer =
  'const c = process.cpuUsage(), t = performance.now(); await import(process.argv[1]); const ms = performance.now() - t; ' +
  'const { user, system } = process.cpuUsage(c); console.log(JSON.stringify({ ms, cpu: (user + system) / 1000 })); process.exit()';

async function measureImport(file) {
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', timer, file]);
  return JSON.parse(stdout.trim().split('\n').at(-1));
}

async function addPairs({ own, libraries, pairs }) {
  for (let round = 0; round < rounds; round++) {
    // Who comes first would be slower or faster for that alone.
    const first = round % 2 === 0;
    const a = await measureImport(first ? own : libraries);
    const b = await measureImport(first ? libraries : own);
    pairs.push(first ? [a, b] : [b, a]);
  }
}

const ratioOf = ({ pairs }) => median(pairs.map(([own, libraries]) => own.cpu / libraries.cpu));
const isSlow = (each) => ratioOf(each) > limit;

async function measureImports(functions) {
  const measured = [];
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
      console.error(`${each.key}: ${ratioOf(each).toFixed(2)} (${each.pairs.length} pairs)`);
    }
    doubtful = doubtful.filter(isSlow);
  }
  return measured;
}

const { functions } = await readService();
await mkdir(folder, { recursive: true });
let imports;
let messages = [];
try {
  imports = await measureImports(functions);
  if (!values.imports) messages = await measureFirstMessages(imports);
} finally {
  await rm(folder, { recursive: true, force: true });
}

const rows = imports.map((each) => {
  const [ms, cpu] = ['ms', 'cpu'].map((unit) => median(each.pairs.map(([own]) => own[unit])));
  const libraries = median(each.pairs.map((pair) => pair[1].cpu));
  return {
    function: each.key,
    bytes: each.bytes,
    ms,
    cpu,
    libraries,
    ratio: ratioOf(each),
    pairs: each.pairs.length,
  };
});
const right = (count) => ['left', ...Array(count).fill('right')];
const table = new Table({
  head: ['function', 'bundle, kB', 'import, ms', 'processor time, ms', 'libraries only, ms', 'ratio'],
  colAligns: right(5),
});
for (const { bytes, ms, cpu, libraries, ratio, ...row } of rows) {
  table.push([
    row.function,
    Math.round(bytes / 1000),
    ...[ms, cpu, libraries].map(Math.round),
    ratio.toFixed(2),
  ]);
}
console.log(String(table));
if (messages.length > 0) {
  const head = ['first message of', 'ms', 'least', 'most', 'processor time, ms'];
  const first = new Table({ head, colAligns: right(4) });
  for (const { times, ...row } of messages) {
    const ms = times.map((time) => time.ms);
    const cpu = median(times.map((time) => time.cpu));
    first.push([row.function, ...[median(ms), Math.min(...ms), Math.max(...ms), cpu].map(Math.round)]);
  }
  console.log(String(first));
}
if (values.save) {
  const file = join(import.meta.dirname, 'results', `cold-${new Date().toISOString().slice(0, 10)}.json`);
  await writeFile(file, `${JSON.stringify({ machine: machine(), imports: rows, messages }, null, 2)}\n`);
}
const slow = imports.filter(isSlow).map(({ key }) => key);
if (slow.length > 0) {
  console.error(`slower than ${limit} times their libraries: ${slow.join(', ')}`);
  process.exitCode = 1;
}
