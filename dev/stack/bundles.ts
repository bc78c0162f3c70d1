import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { z } from 'zod';
import { readYaml } from '../../runtime/topology/service-file.ts';
import { projectDir, projectFile } from './project.ts';

const service = z.object({ functions: z.record(z.string(), z.object({ handler: z.string() })) });
const kept = z.object({
  entries: z.array(z.string()),
  inputs: z.array(z.string()),
  state: z.array(z.array(z.number())),
});

/** What the bundles depend on, besides the files that they are made of. */
const always = [import.meta.filename, projectFile('package-lock.json'), projectFile('tsconfig.json')];

/**
 * Bundles all functions of serverless.yml at once. They share the chunks that several of them import, so that this takes about
 * a second; serverless-esbuild bundles each function by itself. Bundles that are up to date are kept.
 *
 * @param folder for the bundles, relative to the project; its content is replaced.
 * @returns whether anything was bundled.
 * @throws esbuild's error, which lists each problem with its file and line.
 */
export async function bundleFunctions(folder: string): Promise<boolean> {
  const { functions } = service.parse(await readYaml(projectFile('serverless.yml')));
  const files = Object.values(functions).map(({ handler }) => handler.replace(/\.[^./]+$/, '.ts'));
  const entries = [...new Set(files)];
  const outdir = join(projectDir, folder);
  const notes = join(outdir, 'inputs.json');
  if (await isUpToDate(notes, entries)) return false;
  const begun = Date.now();
  await rm(outdir, { recursive: true, force: true });
  const { metafile } = await build({
    absWorkingDir: projectDir,
    entryPoints: entries,
    outdir,
    outbase: '.',
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    metafile: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    // Errors are logged by their class's name.
    keepNames: true,
    sourcemap: true,
    // Native code can't be bundled.
    external: ['sharp'],
    // CommonJS packages in an ES module still call require() for Node's own modules.
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
    logLevel: 'error',
  });
  const inputs = Object.keys(metafile.inputs);
  const state = await stateOf(inputs);
  // What was saved meanwhile may not be in the bundles.
  const isKnown = state.every(([mtimeMs = 0]) => mtimeMs < begun);
  if (isKnown) await writeFile(notes, JSON.stringify({ entries, inputs, state }));
  return true;
}

async function isUpToDate(notes: string, entries: readonly string[]): Promise<boolean> {
  const found = await readFile(notes, 'utf8')
    .then((text) => kept.parse(JSON.parse(text)))
    // There are none, or they were cut short.
    .catch(() => undefined);
  if (!found || found.entries.join() !== entries.join()) return false;
  return JSON.stringify(await stateOf(found.inputs)) === JSON.stringify(found.state);
}

/** When these files changed, and their sizes; nothing of a file that does not exist. */
async function stateOf(inputs: readonly string[]): Promise<number[][]> {
  const files = [...always, ...inputs.map((input) => resolve(projectDir, input))];
  return Promise.all(
    files.map((file) =>
      stat(file).then(
        ({ mtimeMs, size }) => [mtimeMs, size],
        () => [],
      ),
    ),
  );
}
