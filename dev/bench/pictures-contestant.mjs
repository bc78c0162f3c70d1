// One contestant in a process of its own: its task comes as an argument, what it took is printed.
import { execFile } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { register } from 'tsx/esm/api';
import { childSeconds } from './child-seconds.mjs';

const { name, files, atATime, command } = JSON.parse(process.argv[2]);
const widths = [160, 320, 800, 1600];
const quality = { webp: 80, jpeg: 82 };
const contestants = {
  Warren: warren,
  'the limit': limit,
  'naive sharp': naive,
  'ImageMagick, one decode': imageMagick,
  ImageMagick: imageMagickEach,
};

const work = await contestants[name]();
// What is loaded at the first use is not a picture's.
await work(files[0]);
const before = cpuSeconds();
const startedAt = performance.now();
const queue = [...files];
const lane = async () => {
  for (let file = queue.shift(); file; file = queue.shift()) await work(file);
};
await Promise.all(Array.from({ length: atATime }, lane));
const seconds = (performance.now() - startedAt) / 1000;
// ImageMagick runs in its own processes, so its memory is not measured.
const memory = name.startsWith('ImageMagick') ? undefined : peakMemory();
console.log(JSON.stringify({ seconds, cpu: cpuSeconds() - before, memory }));

/** What the function `resize-picture` does between reading the original and storing. */
async function warren() {
  register();
  const { inspect } = await import('../../shared/pictures/image/inspect.ts');
  const { makeVariants } = await import('../../shared/pictures/image/variants.ts');
  return async (file) => {
    const body = await readFile(file);
    await makeVariants(body, await inspect(body), async () => undefined);
  };
}

/** The least that makes the same variants: one decode at reduced scale, each width from the one before, and the eight encodes. */
async function limit() {
  return async (file) => {
    let source = sharp(await readFile(file)).autoOrient();
    for (const width of widths.toReversed()) {
      const step = source.resize({ width, withoutEnlargement: true }).raw();
      const { data, info } = await step.toBuffer({ resolveWithObject: true });
      const pixels = () => sharp(data, { raw: info });
      await Promise.all([
        pixels().webp({ quality: quality.webp, effort: 2 }).toBuffer(),
        pixels().jpeg({ quality: quality.jpeg, quantisationTable: 3 }).toBuffer(),
      ]);
      source = pixels();
    }
  };
}

/** As its documentation shows it: one pipeline a variant. */
async function naive() {
  return async (file) => {
    const body = await readFile(file);
    const one = (width) => sharp(body).autoOrient().resize({ width, withoutEnlargement: true });
    await Promise.all(
      widths.flatMap((width) => [
        one(width).webp({ quality: quality.webp }).toBuffer(),
        one(width).jpeg({ quality: quality.jpeg }).toBuffer(),
      ]),
    );
  };
}

/** One command a variant, as naive sharp has one pipeline. */
async function imageMagickEach() {
  const folder = await temporary();
  let number = 0;
  return async (file) => {
    for (const width of widths) {
      for (const [format, value] of Object.entries(quality)) {
        number += 1;
        const out = join(folder, `${number}.${format}`);
        const settings = ['-auto-orient', '-strip', '-resize', `${width}x>`, '-quality', String(value)];
        await magick([file, ...settings, out]);
      }
    }
  };
}

/** One process a picture, which decodes it once and makes each variant from the whole. */
async function imageMagick() {
  const folder = await temporary();
  let number = 0;
  return async (file) => {
    number += 1;
    const out = join(folder, String(number));
    const variants = widths.flatMap((width) => [
      '(',
      '+clone',
      '-resize',
      `${width}x>`,
      '-quality',
      String(quality.webp),
      '-write',
      `${out}-${width}.webp`,
      '-quality',
      String(quality.jpeg),
      '-write',
      `${out}-${width}.jpg`,
      '+delete',
      ')',
    ]);
    await magick([file, '-auto-orient', '-strip', ...variants, 'null:']);
  };
}

/** Threads of its own would only take the other picture's core. */
function magick(args) {
  return promisify(execFile)(command, args, { env: { ...process.env, OMP_NUM_THREADS: '1' } });
}

async function temporary() {
  const folder = await mkdtemp(join(tmpdir(), 'warren-bench-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** In MiB. Linux passes the greatest of a process on to those it starts, so that only the address space's own counts. */
function peakMemory() {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS / 1024;
  const [, kilobytes] = /VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'));
  return Number(kilobytes) / 1024;
}

/** Of this process and of those it started and that have ended. */
function cpuSeconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6 + childSeconds();
}
