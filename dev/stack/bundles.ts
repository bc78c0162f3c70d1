import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { z } from 'zod';
import { readYaml } from '../../runtime/topology/service-file.ts';
import { projectDir, projectFile } from './project.ts';

const service = z.object({ functions: z.record(z.string(), z.object({ handler: z.string() })) });

/**
 * Bundles all functions of serverless.yml at once. They share the chunks that several of them import, so that this takes about
 * a second; serverless-esbuild bundles each function by itself.
 *
 * @param folder for the bundles, relative to the project; its content is replaced.
 * @throws esbuild's error, which lists each problem with its file and line.
 */
export async function bundleFunctions(folder: string): Promise<void> {
  const { functions } = service.parse(await readYaml(projectFile('serverless.yml')));
  const files = Object.values(functions).map(({ handler }) => handler.replace(/\.[^./]+$/, '.ts'));
  const outdir = join(projectDir, folder);
  await rm(outdir, { recursive: true, force: true });
  await build({
    absWorkingDir: projectDir,
    entryPoints: [...new Set(files)],
    outdir,
    outbase: '.',
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
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
}
