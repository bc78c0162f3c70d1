#!/usr/bin/env node
// `node dev/bench/pictures.mjs [--quick]`: resizing photographs beside naive sharp and ImageMagick, taking turns, in one run.
import { execFile, execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { makePhotos } from './pictures-photos.mjs';

const quick = process.argv.includes('--quick');
const rounds = quick ? 3 : 5;
const atATime = 2;
const here = fileURLToPath(new URL('.', import.meta.url));
const log = (text) => console.error(text);
const baseline = 'naive sharp';

const command = ['magick', 'convert'].find(isImageMagick);
if (!command) log('ImageMagick is not installed: it is left out (apt-get install imagemagick).');
const magicks = command ? ['ImageMagick, one decode', 'ImageMagick'] : [];
const names = [baseline, 'Warren', 'the limit', ...magicks];

const folder = await mkdtemp(join(tmpdir(), 'warren-bench-'));
try {
  log('Making photographs of 2 to 24 megapixels.');
  const files = await makePhotos(folder, { quick });
  const numbers = Object.fromEntries([...names, 'again'].map((name) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const name of shuffled([...names, 'again'])) {
      log(`Round ${round + 1} of ${rounds}, ${name}`);
      numbers[name].push(await turn(name === 'again' ? baseline : name, files));
    }
  }
  log('Comparing pixels.');
  const quality = await run('pictures-quality.mjs', files);
  await report(numbers, quality, files.length);
} finally {
  await rm(folder, { recursive: true, force: true });
}

function isImageMagick(name) {
  try {
    return execFileSync(name, ['-version'], { stdio: ['ignore', 'pipe', 'ignore'] }).includes(
      'Version: ImageMagick',
    );
  } catch {
    return false;
  }
}

async function turn(name, files) {
  const { seconds, cpu, memory } = await run('pictures-contestant.mjs', { name, files, atATime, command });
  return { perSecond: files.length / seconds, cpu: cpu / files.length, memory };
}

async function run(script, task) {
  const { stdout } = await promisify(execFile)(process.execPath, [`${here}${script}`, JSON.stringify(task)]);
  return JSON.parse(stdout.trim().split('\n').at(-1));
}

async function report(numbers, quality, pictures) {
  const rows = ['Warren', 'the limit', ...magicks, 'again'].map((name) => ({
    name: name === 'again' ? `${baseline}, again (the noise)` : name,
    ...Object.fromEntries(
      ['perSecond', 'cpu', 'memory'].map((what) => [what, ratiosOf(numbers[name], numbers[baseline], what)]),
    ),
  }));
  const lines = [
    `Times ${baseline}, two pictures in flight, ${pictures} photographs, median of ${rounds} rounds (least to most)`,
  ];
  lines.push(
    `  ${''.padEnd(32)}${['pictures/s', 'CPU time', 'peak memory'].map((each) => each.padEnd(22)).join('')}`,
  );
  for (const { name, perSecond, cpu, memory } of rows) {
    lines.push(
      `  ${name.padEnd(32)}${[perSecond, cpu, memory].map((each) => said(each).padEnd(22)).join('')}`,
    );
  }
  const cost = ratiosOf(numbers.Warren, numbers['the limit'], 'cpu');
  lines.push(`  Warren, times the limit: ${said(cost)} CPU time`);
  for (const name of magicks) {
    const ours = ratiosOf(numbers.Warren, numbers[name], 'perSecond');
    lines.push(`  Warren, times ${name}: ${said(ours)} pictures/s`);
  }
  const { perSecond, cpu, memory } = Object.fromEntries(
    ['perSecond', 'cpu', 'memory'].map((what) => [what, median(numbers.Warren.map((each) => each[what]))]),
  );
  lines.push(
    `  Warren: ${perSecond.toFixed(2)} pictures/s, ${cpu.toFixed(2)} CPU s a picture, ${Math.round(memory)} MiB at most`,
  );
  lines.push(
    '',
    'SSIM before encoding, against resizing the whole decoded picture at once (least of all pictures)',
  );
  for (const width of [1600, 800, 320, 160]) {
    const of = (who) =>
      Math.min(...quality.filter((row) => row.width === width).map((row) => row[who])).toFixed(4);
    lines.push(`  ${String(width).padEnd(6)} Warren ${of('ours')}   ${baseline} ${of('naive')}`);
  }
  console.log(lines.join('\n'));
  const date = new Date().toISOString().slice(0, 10);
  const machine = {
    cores: cpus().length,
    node: process.version,
    sharp: sharp.versions.sharp,
    rounds,
    pictures,
    quick,
  };
  await mkdir(`${here}results`, { recursive: true });
  const file = `results/pictures-${date}.json`;
  await writeFile(
    join(here, file),
    `${JSON.stringify({ date, machine, rows, numbers, quality }, null, 2)}\n`,
  );
  console.log(`\nRaw numbers: bench/${file}`);
}

/** Round by round, for what else ran on the machine meanwhile met both. */
function ratiosOf(ones, others, what) {
  if (ones.some((each) => each[what] === undefined)) return undefined;
  const ratios = ones.map((each, round) => each[what] / others[round][what]);
  return { median: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) };
}

function said(ratio) {
  if (!ratio) return 'not measured';
  return `${ratio.median.toFixed(2)} (${ratio.least.toFixed(2)} to ${ratio.most.toFixed(2)})`;
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

function shuffled(list) {
  return list
    .map((value) => ({ value, key: Math.random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ value }) => value);
}
