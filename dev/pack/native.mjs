#!/usr/bin/env node
// Copies packages that cannot be bundled, with their dependencies, from node_modules into dist/native. They are native code
// for the platform that `npm ci --os --cpu --libc` named.
import { existsSync } from 'node:fs';
import { cp, readFile, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const found = new Set();

async function take(name, from) {
  const nested = `${from}/node_modules/${name}`;
  const folder = [nested, `node_modules/${name}`].find((each) => existsSync(root + each));
  // A missing package is optional: it is for another platform.
  if (folder === undefined || found.has(folder)) return;
  found.add(folder);
  const { dependencies, optionalDependencies } = JSON.parse(
    await readFile(`${root}${folder}/package.json`, 'utf8'),
  );
  for (const each of Object.keys({ ...dependencies, ...optionalDependencies })) await take(each, folder);
}

await rm(`${root}dist/native`, { recursive: true, force: true });
for (const name of process.argv.slice(2)) {
  await take(name, 'none');
  if (!found.has(`node_modules/${name}`)) throw new Error(`${name} is not installed`);
}
for (const folder of found) await cp(root + folder, `${root}dist/native/${folder}`, { recursive: true });
console.log(`dist/native: ${[...found].map((each) => each.replace('node_modules/', '')).join(', ')}`);
