import { readFile } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import { WarrenError } from '../base/errors.ts';
import { type Manifest, toManifest } from '../hosts/manifest.ts';
import { readYaml } from '../topology/service-file.ts';

/** `${env:NAME}`, or with a default: `${env:NAME, 'text'}`. */
const variable = /\$\{env:(\w+)(?:\s*,\s*'([^']*)')?\s*\}/g;

/** Any other variable, inside of one text of JSON. */
const otherVariable = /\$\{(?:[^}"\\]|\\.)*\}/;

/**
 * Makes the manifest of a serverless.yml without the serverless CLI. Of its variables it resolves those of the environment.
 *
 * @throws WarrenError ERR_CONFIG for any other variable in the functions, the environment or `custom.warren`, ERR_TOPOLOGY if
 *   the file cannot be read.
 */
export async function plainManifest(
  path: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Manifest> {
  const { service, provider, functions, custom } = ((await readYaml(path)) ?? {}) as Record<string, unknown>;
  const warren = (custom as Record<string, unknown> | undefined)?.['warren'];
  const text = JSON.stringify({
    service,
    provider: provider ?? {},
    functions: functions ?? {},
    custom: { warren },
  });
  const resolved = text.replace(variable, (_, name: string, fallback = '') =>
    JSON.stringify(env[name] || fallback).slice(1, -1),
  );
  const [other] = otherVariable.exec(resolved) ?? [];
  if (other !== undefined) {
    const written = JSON.parse(`"${other}"`) as string;
    const expected =
      'expected only variables of the environment (env), because the serverless CLI is not installed';
    throw new WarrenError('ERR_CONFIG', `${await placeOf(path, written)}: ${expected}, got ${written}`);
  }
  return toManifest(resolved);
}

/** File, line and column at which a text is written first; only the file if it is written in another way. */
async function placeOf(path: string, written: string): Promise<string> {
  const file = relative('', resolve(path));
  const [before = '', after] = (await readFile(path, 'utf8')).split(written);
  if (after === undefined) return file;
  const lines = before.split('\n');
  return `${file}:${lines.length}:${(lines.at(-1) ?? '').length + 1}`;
}
