#!/usr/bin/env node
// Builds the content of the container image, except native code, in dist/image: the functions and the `warren` command as
// bundles that share their common parts, the manifest, and the files that functions read.
import { execFileSync } from 'node:child_process';
import { cp, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { parse } from 'yaml';

const root = fileURLToPath(new URL('../../', import.meta.url));
const out = `${root}dist/image`;
const text = execFileSync(process.execPath, [`${root}runtime/cli/warren.cjs`, 'manifest'], {
  cwd: root,
  stdio: ['ignore', 'pipe', 'inherit'],
  // The image depends neither on the variables of this shell nor on a stack that runs on this machine.
  env: { PATH: process.env.PATH, HOME: process.env.HOME, WARREN_DATA: '/nonexistent' },
}).toString();
const manifest = JSON.parse(text);
const yml = parse(await readFile(`${root}serverless.yml`, 'utf8'), { merge: true });

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
const sources = Object.values(manifest.functions).map(({ handler }) => handler.replace(/\.\w+$/, ''));
const { outputFileExtension, bundle, format, target, platform, minify, keepNames, banner, external } =
  yml.custom.esbuild;
const { metafile } = await build({
  bundle,
  format,
  target,
  platform,
  minify,
  keepNames,
  banner,
  external,
  absWorkingDir: root,
  entryPoints: {
    ...Object.fromEntries(sources.map((source) => [source, `${source}.ts`])),
    warren: 'deploy/image.ts',
    health: 'dev/pack/health.mjs',
  },
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  outExtension: { '.js': outputFileExtension },
  outdir: out,
  legalComments: 'linked',
  metafile: true,
});
await writeFile(`${out}/warren.json`, `${text}\n`);

// The files that an artifact for AWS contains as well, and the topology for `warren prepare`.
const patterns = Object.values(yml.functions).flatMap((each) => each.package?.patterns ?? []);
for (const pattern of new Set([...patterns, 'serverless.yml', 'LICENSE'])) {
  const path = pattern.replace(/\/\*\*$/, '');
  await mkdir(dirname(`${out}/${path}`), { recursive: true });
  await cp(`${root}${path}`, `${out}/${path}`, { recursive: true });
}

// The page of `warren board`.
const page = new URL('../../runtime/board/page/build.mjs', import.meta.url);
await mkdir(`${out}/board`, { recursive: true });
if (await stat(page).catch(() => undefined)) {
  const { buildPage } = await import(page.href);
  await buildPage(`${out}/board`);
}
const bytes = Object.values(metafile.outputs).reduce((sum, each) => sum + each.bytes, 0);
console.log(`dist/image: ${sources.length} functions and the command, ${Math.round(bytes / 1000)} kB`);
