#!/usr/bin/env node
// Packs the runtime as `npm pack -w runtime` does, into dist/warren-<version>.tgz or into the folder that the argument names.
// It packs a copy, because `npm pack` compiles beside the sources for a moment, and every other program in the workspace
// would load the compiled files. The copy stays compiled beside the archive, as package/, for the benchmarks.
import { execFileSync } from 'node:child_process';
import { cp, mkdir, rm } from 'node:fs/promises';
import { basename, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
// In the project, so that the compiler finds the packages in node_modules.
const out = resolve(root, process.argv[2] ?? 'dist');
const copy = join(out, 'package');

await rm(copy, { recursive: true, force: true });
await mkdir(copy, { recursive: true });
await cp(`${root}runtime`, copy, { recursive: true, filter: (path) => basename(path) !== 'node_modules' });
// The build extends the compiler's options in the folder above.
await cp(`${root}tsconfig.json`, join(out, 'tsconfig.json'));

const run = (command, args) =>
  execFileSync(command, args, { cwd: copy, stdio: ['ignore', 'pipe', 'inherit'] }).toString();
run(process.execPath, [`${root}node_modules/typescript/bin/tsc`, '-p', 'tsconfig.build.json']);
run(process.execPath, ['board/page/build.mjs']);
// Without the scripts, because `postpack` would remove the compiled files.
const printed = run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', out]);
const [{ filename, size, unpackedSize }] = JSON.parse(printed);
const archive = relative(root, join(out, filename));
console.log(`${archive}: ${Math.round(size / 1000)} kB, ${Math.round(unpackedSize / 1000)} kB unpacked`);
