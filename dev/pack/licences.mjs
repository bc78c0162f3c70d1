// Prints the licenses of the packages in package-lock.json, by license; with --all, also of the packages for development.
import { readFileSync } from 'node:fs';

const all = process.argv.includes('--all');
const { packages } = JSON.parse(readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8'));
const byLicence = new Map();
for (const [path, { license = 'unspecified', version, dev, devOptional, link }] of Object.entries(packages)) {
  if (path === '' || path === 'runtime' || link || ((dev || devOptional) && !all)) continue;
  const name = `${path.replace(/^.*node_modules\//, '')} ${version}`;
  byLicence.set(license, [...(byLicence.get(license) ?? []), name]);
}
for (const [licence, names] of [...byLicence].sort(([, a], [, b]) => b.length - a.length)) {
  console.log(`${licence} (${names.length})`);
  for (const name of [...new Set(names)].sort()) console.log(`  ${name}`);
}
