// Prints the licences of what Warren runs with, from package-lock.json; with --all also of what it is made with.
import { readFileSync } from 'node:fs';

const all = process.argv.includes('--all');
const { packages } = JSON.parse(readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8'));
const byLicence = new Map();
for (const [path, { license = 'not said', version, dev, devOptional, link }] of Object.entries(packages)) {
  if (path === '' || path === 'runtime' || link || ((dev || devOptional) && !all)) continue;
  const name = `${path.replace(/^.*node_modules\//, '')} ${version}`;
  byLicence.set(license, [...(byLicence.get(license) ?? []), name]);
}
for (const [licence, names] of [...byLicence].sort(([, a], [, b]) => b.length - a.length)) {
  console.log(`${licence} (${names.length})`);
  for (const name of [...new Set(names)].sort()) console.log(`  ${name}`);
}
