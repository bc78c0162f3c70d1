#!/usr/bin/env node
// Packs the runtime into dist/warren-<version>.tgz. It packs a copy, because `npm pack` compiles beside the sources, and in
// the workspace every other program would then load the compiled files.
import { execFileSync } from 'node:child_process';
import { cp, mkdir, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const out = `${root}dist/package`;

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
await cp(`${root}runtime`, out, { recursive: true, filter: (path) => !path.includes('node_modules') });
// The build extends the compiler's options in the folder above.
await cp(`${root}tsconfig.json`, `${root}dist/tsconfig.json`);
const printed = execFileSync('npm', ['pack', '--json', '--pack-destination', `${root}dist`], {
  cwd: out,
  stdio: ['ignore', 'pipe', 'inherit'],
}).toString();
// The script that compiles may print before npm does.
const [{ filename, size, unpackedSize }] = JSON.parse(printed.slice(printed.indexOf('[')));
console.log(
  `dist/${filename}: ${Math.round(size / 1000)} kB, ${Math.round(unpackedSize / 1000)} kB unpacked`,
);
