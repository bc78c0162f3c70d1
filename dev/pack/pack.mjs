#!/usr/bin/env node
// Makes the package for other projects, dist/warren-<version>.tgz: the event source, the wrapper and the tools, compiled,
// without this project's own functions and what only they depend on.
import { execFileSync } from 'node:child_process';
import { chmod, copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../../', import.meta.url));
const out = `${root}dist/package`;
const run = (command, args) =>
  execFileSync(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] }).toString();

const project = JSON.parse(await readFile(`${root}package.json`, 'utf8'));
const { name, version, description, license, engines } = project;
const all = { ...project.dependencies, ...project.devDependencies };

await rm(`${root}dist`, { recursive: true, force: true });
run(process.execPath, [`${root}node_modules/typescript/bin/tsc`, '-p', `${root}dev/pack`]);

// Frameworks load plugins with require().
await writeFile(
  `${out}/plugin.cjs`,
  "'use strict';\nmodule.exports = require('./runtime/serverless/plugin.js').default;\n",
);

const entries = [
  'plugin.cjs',
  'runtime/cli/main.js',
  'runtime/functions.js',
  'runtime/event-source/event-source.js',
];
const { metafile } = await build({
  entryPoints: entries.map((entry) => `${out}/${entry}`),
  ...{ bundle: true, packages: 'external', platform: 'node', format: 'esm' },
  ...{ metafile: true, write: false, outdir: out, logLevel: 'warning' },
});
/** What the compiled files import: `@scope/name/file` is part of `@scope/name`. */
const imported = Object.values(metafile.inputs)
  .flatMap(({ imports }) => imports.filter(({ external, path }) => external && !isBuiltin(path)))
  .map(({ path }) => /^(@[^/]+\/)?[^/]+/.exec(path)[0]);
// The declarations name Lambda's types, which no compiled file imports.
const dependencies = [...new Set([...imported, '@types/aws-lambda'])].sort().map((each) => {
  if (all[each] === undefined) throw new Error(`${each} is imported, and no dependency in package.json`);
  return [each, all[each]];
});
await writeFile(
  `${out}/package.json`,
  `${JSON.stringify(
    {
      ...{ name, version, description, license, engines },
      type: 'module',
      main: './plugin.cjs',
      bin: { warren: './runtime/cli/main.js' },
      exports: {
        '.': './plugin.cjs',
        './functions': { types: './runtime/functions.d.ts', default: './runtime/functions.js' },
        './event-source': {
          types: './runtime/event-source/event-source.d.ts',
          default: './runtime/event-source/event-source.js',
        },
        './package.json': './package.json',
      },
      dependencies: Object.fromEntries(dependencies),
    },
    null,
    2,
  )}\n`,
);
await chmod(`${out}/runtime/cli/main.js`, 0o755);
await copyFile(`${root}LICENSE`, `${out}/LICENSE`);
await copyFile(`${root}CHANGELOG.md`, `${out}/CHANGELOG.md`);
await copyFile(`${root}docs/package.md`, `${out}/README.md`);
const [{ filename, size, unpackedSize }] = JSON.parse(
  run('npm', ['pack', out, '--json', '--pack-destination', `${root}dist`]),
);
console.log(
  `dist/${filename}: ${Math.round(size / 1000)} kB, ${Math.round(unpackedSize / 1000)} kB unpacked`,
);
