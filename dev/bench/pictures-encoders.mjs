#!/usr/bin/env node
// `node dev/bench/pictures-encoders.mjs PHOTO...`: bytes, CPU time and SSIMULACRA2 (how alike two pictures look, 100 is the same) of what
// Warren makes of photographs, beside sharp, vipsthumbnail and ImageMagick, and of the settings that an encoder may have. Needs
// `ssimulacra2_rs` (cargo install ssimulacra2_rs --no-default-features), vipsthumbnail, ImageMagick and Python with Pillow.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import sharp from 'sharp';
import { encoders, measured, usual, widths } from './pictures-makers.mjs';
import { here, log } from './setup.mjs';

/** What an encoder may be set to, the first of each format as sharp has it. */
const settings = {
  webp: [
    { quality: 80 },
    { quality: 80, effort: 3 },
    { quality: 79, effort: 2 },
    { quality: 80, effort: 2 },
    { quality: 81, effort: 2 },
  ],
  jpeg: [
    { quality: 82 },
    { quality: 82, quantisationTable: 2 },
    { quality: 82, quantisationTable: 3 },
    { quality: 83, quantisationTable: 2 },
    { quality: 82, mozjpeg: true },
  ],
};

const photos = process.argv.slice(2);
if (photos.length === 0) throw new Error('expected the files of photographs');
const folder = await mkdtemp(join(tmpdir(), 'warren-bench-'));
/** Sums by contestant and format, and by setting. */
const contestants = new Map();
const choices = new Map();
try {
  // What is loaded at the first use is not a picture's.
  for (const format of Object.keys(usual))
    for (const make of [encoders.sharp, encoders.Warren]) await make(photos[0], format);
  for (const [index, photo] of photos.entries()) {
    log(`${index + 1} of ${photos.length}: ${basename(photo)}`);
    for (const [name, make] of Object.entries(encoders)) {
      for (const format of Object.keys(usual)) {
        const { cpu, bodies } = await make(photo, format);
        for (const body of bodies)
          await add(contestants, `${name} ${format}`, photo, body, cpu / bodies.length);
      }
    }
    const [step] = await encoders.Warren(photo, 'webp').then(({ bodies }) => bodies);
    const { width, height } = await sharp(step).metadata();
    const pixels = await sharp(await readFile(reference(photo, width, height)))
      .raw()
      .toBuffer({ resolveWithObject: true });
    for (const [format, each] of Object.entries(settings)) {
      for (const options of each) {
        const encode = () => sharp(pixels.data, { raw: pixels.info })[format](options).toBuffer();
        await encode();
        const { cpu, value } = await measured(encode);
        await add(choices, `${format} ${JSON.stringify(options)}`, photo, value, cpu);
      }
    }
  }
  await report();
} finally {
  await rm(folder, { recursive: true, force: true });
}

/** The whole picture, resized by a program that none of the contestants uses: they round a height differently. */
function reference(photo, width, height) {
  const path = join(folder, `${basename(photo)}-${width}x${height}.png`);
  if (existsSync(path)) return path;
  const program = `
import sys
from PIL import Image, ImageOps
picture = ImageOps.exif_transpose(Image.open(sys.argv[1])).convert('RGB')
picture.resize((int(sys.argv[3]), int(sys.argv[4])), Image.LANCZOS).save(sys.argv[2], compress_level=1)
`;
  execFileSync('python3', ['-c', program, photo, path, String(width), String(height)]);
  return path;
}

async function add(sums, key, photo, body, cpu) {
  const decoded = join(folder, 'decoded.png');
  const { width, height } = await sharp(body).png({ compressionLevel: 1 }).toFile(decoded);
  const text = execFileSync('ssimulacra2_rs', ['image', reference(photo, width, height), decoded], {
    encoding: 'utf8',
  });
  const score = Number(/-?\d+\.\d+/.exec(text)?.[0]);
  const rows = sums.get(key) ?? [];
  rows.push({ bytes: body.length, cpu, score });
  sums.set(key, rows);
}

async function report() {
  const lines = [];
  for (const [title, sums, firstOf] of [
    [
      `What is made of ${photos.length} photographs, ${widths.join(' and ')} pixels wide`,
      contestants,
      'sharp',
    ],
    [`Settings, ${widths[0]} pixels wide, beside those of sharp`, choices, ''],
  ]) {
    lines.push(title, `${''.padEnd(48)}bytes   CPU time   SSIMULACRA2 (least)`);
    for (const [key, rows] of sums) {
      const format = /webp|jpeg/.exec(key)[0];
      const base = sums.get(
        firstOf ? `${firstOf} ${format}` : `${format} ${JSON.stringify(settings[format][0])}`,
      );
      const ratio = (what) => (sumOf(rows, what) / sumOf(base, what)).toFixed(2);
      const scores = rows.map(({ score }) => score);
      const [mean, least] = [sumOf(rows, 'score') / rows.length, Math.min(...scores)];
      lines.push(
        `  ${key.padEnd(46)}${ratio('bytes')}    ${ratio('cpu').padEnd(8)}   ${mean.toFixed(1)} (${least.toFixed(1)})`,
      );
    }
  }
  console.log(lines.join('\n'));
  const date = new Date().toISOString().slice(0, 10);
  const file = `results/pictures-encoders-${date}.json`;
  const numbers = {
    date,
    sharp: sharp.versions,
    photos: photos.map((photo) => basename(photo)),
    widths,
    contestants: Object.fromEntries(contestants),
    choices: Object.fromEntries(choices),
  };
  await mkdir(`${here}results`, { recursive: true });
  await writeFile(join(here, file), `${JSON.stringify(numbers)}\n`);
  console.log(`\nNumbers: dev/bench/${file}`);
}

function sumOf(rows, what) {
  return rows.reduce((sum, row) => sum + row[what], 0);
}
