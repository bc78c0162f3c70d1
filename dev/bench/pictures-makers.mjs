// Each makes the variants of a photograph in one format, and returns them with the CPU seconds that they took.
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { register } from 'tsx/esm/api';
import { childSeconds } from './child-seconds.mjs';

register();
const { inspect } = await import('../../shared/pictures/image/inspect.ts');
const { makeVariants } = await import('../../shared/pictures/image/variants.ts');
const { defaultVariants } = await import('../../shared/pictures/image/settings.ts');

export const widths = [800, 320];
export const usual = { webp: { quality: 80 }, jpeg: { quality: 82 } };
const extensions = { webp: 'webp', jpeg: 'jpg' };
export const encoders = { sharp: naive, Warren: warren, vipsthumbnail, ImageMagick: imageMagick };

/** What the function `resize-picture` makes, with only these widths and one format. */
async function warren(photo, format) {
  const body = await readFile(photo);
  const bodies = [];
  const options = { settings: { ...defaultVariants, widths, formats: [format] } };
  const { cpu } = await measured(async () =>
    makeVariants(body, await inspect(body), async (variant) => void bodies.push(variant.body), options),
  );
  return { cpu, bodies };
}

/** As sharp's documentation shows it: one pipeline a variant. */
async function naive(photo, format) {
  const body = await readFile(photo);
  const one = (width) => sharp(body).autoOrient().resize({ width })[format](usual[format]).toBuffer();
  const { cpu, value } = await measured(() => Promise.all(widths.map(one)));
  return { cpu, bodies: value };
}

function vipsthumbnail(photo, format) {
  return byCommand(format, (width, out) => [
    'vipsthumbnail',
    [photo, '--size', `${width}x`, '-o', `${out}[Q=${usual[format].quality},strip]`],
  ]);
}

function imageMagick(photo, format) {
  return byCommand(format, (width, out) => [
    'convert',
    [photo, '-auto-orient', '-strip', '-resize', `${width}x`, '-quality', `${usual[format].quality}`, out],
  ]);
}

async function byCommand(format, commandOf) {
  const folder = await mkdtemp(join(tmpdir(), 'warren-bench-'));
  const outs = widths.map((width) => join(folder, `out-${width}.${extensions[format]}`));
  const before = childSeconds();
  for (const [at, width] of widths.entries()) {
    const [command, args] = commandOf(width, outs[at]);
    execFileSync(command, args, { env: { ...process.env, OMP_NUM_THREADS: '1', VIPS_CONCURRENCY: '1' } });
  }
  const cpu = childSeconds() - before;
  const bodies = await Promise.all(outs.map((out) => readFile(out)));
  await rm(folder, { recursive: true });
  return { cpu, bodies };
}

/** With its CPU seconds. */
export async function measured(work) {
  const before = process.cpuUsage();
  const value = await work();
  const { user, system } = process.cpuUsage(before);
  return { cpu: (user + system) / 1e6, value };
}
