import { createHash } from 'node:crypto';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { printManifest } from '../../runtime/cli/manifest.ts';
import { type Manifest, readManifest } from '../../runtime/hosts/manifest.ts';
import { noBundler } from './no-bundler.ts';
import { projectDir, projectFile } from './project.ts';

const kept = z.object({ key: z.string(), text: z.string() });

export interface ManifestOptions {
  /** Variables that serverless.yml may name, default those of this process. */
  env?: Readonly<Record<string, string | undefined>>;
  /** Reads serverless.yml, default with the serverless CLI. */
  print?: () => Promise<string>;
}

/**
 * Returns the manifest of serverless.yml. The serverless CLI takes two seconds of a processor to read it, so that its result is kept
 * in the data folder until something that it depends on changes.
 *
 * @throws as `printManifest` and `readManifest`.
 */
export async function keptManifest(
  dataDir: string,
  { env = process.env, print = () => printManifest(undefined, projectDir, noBundler) }: ManifestOptions = {},
): Promise<Manifest> {
  const file = join(dataDir, 'manifest.json');
  const key = await keyOf(env);
  const found = await readFile(file, 'utf8')
    .then((text) => kept.parse(JSON.parse(text)))
    // There is none, or it was cut short.
    .catch(() => undefined);
  if (found?.key === key) return readManifest(found.text);
  const text = await print();
  // Variables of the environment are in it.
  await writeFile(file, JSON.stringify({ key, text }), { mode: 0o600 });
  return readManifest(text);
}

/** A hash of all that the manifest depends on: serverless.yml, what it refers to, the packages, and the code of the plugins. */
async function keyOf(env: Readonly<Record<string, string | undefined>>): Promise<string> {
  const yml = await readFile(projectFile('serverless.yml'), 'utf8');
  // A path with a variable in it is that of a platform on AWS, which `noBundler` leaves out.
  const files = [...yml.matchAll(/\$\{file\(([^)$]+)\)/g)].map(([, path = '']) => projectFile(path));
  const texts = await Promise.all(files.map((path) => readFile(path, 'utf8')));
  const names = [yml, ...texts].flatMap((text) =>
    [...text.matchAll(/env:(\w+)/g)].map(([, name = '']) => name),
  );
  const values = names.map((name) => [name, env[name]]);
  const code = [projectFile('package-lock.json'), projectFile('dev/plugin.ts'), ...(await runtimeFiles())];
  const states = await Promise.all(code.map(stateOf));
  return createHash('sha256')
    .update(JSON.stringify([yml, texts, values, states]))
    .digest('hex');
}

async function runtimeFiles(): Promise<string[]> {
  const root = projectFile('runtime');
  const folders = (await readdir(root, { withFileTypes: true })).filter(
    (each) => each.isDirectory() && each.name !== 'node_modules',
  );
  const found = await Promise.all(
    folders.map(async ({ name }) => {
      const files = await readdir(join(root, name), { recursive: true });
      return files.filter((path) => path.endsWith('.ts')).map((path) => join(root, name, path));
    }),
  );
  return found.flat().sort();
}

async function stateOf(path: string): Promise<[string, number, number]> {
  const { mtimeMs, size } = await stat(path);
  return [path, mtimeMs, size];
}
