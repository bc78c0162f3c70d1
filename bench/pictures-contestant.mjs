// One contestant in a process of its own: its task comes as an argument, what it took is printed.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { register } from 'tsx/esm/api';

const { name, files, atATime, command } = JSON.parse(process.argv[2]);
const widths = [160, 320, 800, 1600];
const quality = { webp: 80, jpeg: 82 };
const contestants = { Warren: warren, 'naive sharp': naive, ImageMagick: imageMagick };

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
// ImageMagick's memory is that of its own processes, which nobody sums up.
const memory = command && name === 'ImageMagick' ? undefined : process.resourceUsage().maxRSS / 1024;
console.log(JSON.stringify({ seconds, cpu: cpuSeconds() - before, memory }));

/** What the function `resize-picture` does between reading the original and storing. */
async function warren() {
  register();
  const { inspect } = await import('../shared/image/inspect.ts');
  const { makeVariants } = await import('../shared/image/variants.ts');
  return async (file) => {
    const body = await readFile(file);
    await makeVariants(body, await inspect(body), async () => undefined);
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

/** One process a picture, which decodes it once and makes each variant from the whole. */
async function imageMagick() {
  const folder = await mkdtemp(join(tmpdir(), 'warren-bench-'));
  process.on('exit', () => rm(folder, { recursive: true, force: true }).catch(() => undefined));
  let number = 0;
  return async (file) => {
    number += 1;
    const out = join(folder, String(number));
    const variants = widths.flatMap((width) => [
      ...[
        '(',
        '+clone',
        '-resize',
        `${width}x>`,
        '-quality',
        String(quality.webp),
        '-write',
        `${out}-${width}.webp`,
      ],
      ...['-quality', String(quality.jpeg), '-write', `${out}-${width}.jpg`, '+delete', ')'],
    ]);
    await promisify(execFile)(command, [file, '-auto-orient', '-strip', ...variants, 'null:'], {
      // Threads of its own would only take the other picture's core.
      env: { ...process.env, OMP_NUM_THREADS: '1' },
    });
  };
}

/** Of this process and of those it started and that have ended. */
function cpuSeconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6 + childSeconds();
}

function childSeconds() {
  if (process.platform !== 'linux') return 0;
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1].split(' ');
  // cutime and cstime, in hundredths.
  return (Number(fields[13]) + Number(fields[14])) / 100;
}
