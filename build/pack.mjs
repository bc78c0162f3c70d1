#!/usr/bin/env node
// Makes the package for other projects, dist/warren-<version>.tgz: the event source, the wrapper and the tools, compiled,
// without this project's own functions and what only they depend on.
import { execFileSync } from 'node:child_process';
import { chmod, copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
const out = `${root}dist/package`;
const run = (command, args) =>
  execFileSync(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] }).toString();

const { name, version, description, license, engines, dependencies, devDependencies } = JSON.parse(
  await readFile(`${root}package.json`, 'utf8'),
);
const all = { ...dependencies, ...devDependencies };
const pick = (names) => Object.fromEntries(names.map((each) => [each, all[each]]));

await rm(`${root}dist`, { recursive: true, force: true });
run(process.execPath, [`${root}node_modules/typescript/bin/tsc`, '-p', `${root}build`]);

// Frameworks load plugins with require().
await writeFile(
  `${out}/plugin.cjs`,
  "'use strict';\nmodule.exports = require('./shared/event-source/plugin.js').default;\n",
);
await writeFile(
  `${out}/package.json`,
  `${JSON.stringify(
    {
      ...{ name, version, description, license, engines },
      type: 'module',
      main: './plugin.cjs',
      bin: { warren: './cli/package.js' },
      exports: {
        '.': './plugin.cjs',
        './functions': { types: './shared/functions.d.ts', default: './shared/functions.js' },
        './event-source': {
          types: './shared/event-source/event-source.d.ts',
          default: './shared/event-source/event-source.js',
        },
        './package.json': './package.json',
      },
      dependencies: pick([
        ...['@aws-sdk/client-lambda', '@opentelemetry/api', '@types/aws-lambda', 'amqplib', 'aws4fetch'],
        ...['cli-table3', 'commander', 'jose', 'picocolors', 'pino', 'prom-client', 'yaml', 'zod'],
      ]),
    },
    null,
    2,
  )}\n`,
);
await chmod(`${out}/cli/package.js`, 0o755);
await copyFile(`${root}LICENSE`, `${out}/LICENSE`);
await copyFile(`${root}CHANGELOG.md`, `${out}/CHANGELOG.md`);
await copyFile(`${root}docs/package.md`, `${out}/README.md`);
const [{ filename, size, unpackedSize }] = JSON.parse(
  run('npm', ['pack', out, '--json', '--pack-destination', `${root}dist`]),
);
console.log(
  `dist/${filename}: ${Math.round(size / 1000)} kB, ${Math.round(unpackedSize / 1000)} kB unpacked`,
);
