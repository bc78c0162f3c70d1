import { execFile } from 'node:child_process';
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { projectDir, projectFile } from '../../../dev/stack/project.ts';
import type { StackEnv } from '../../../dev/stack/stack-env.ts';
import type { Built } from './dockerfile.ts';

const run = promisify(execFile);

/**
 * The services of compose.yaml from the sources in place of an image, as processes of this machine.
 *
 * @param folder gets their manifest: otherwise each process starts the serverless CLI.
 */
export async function builtFromSources(folder: string, stack: StackEnv): Promise<Built> {
  const { stdout } = await run(process.execPath, [projectFile('dev/warren.mjs'), 'manifest'], {
    env: { ...process.env, ...stack, WARREN_DATA: '/nowhere' },
    maxBuffer: 10_000_000,
  });
  const manifest = join(folder, 'warren.json');
  await writeFile(manifest, stdout);
  // Handlers are relative to the manifest.
  await symlink(projectFile('functions'), join(folder, 'functions'));
  return {
    root: projectDir,
    workdir: '.',
    env: { WARREN_DATA: '/nowhere', WARREN_MANIFEST: manifest },
    user: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 },
    entrypoint: ['node', projectFile('dev/warren.mjs')],
    healthcheck: [],
    commands: [],
  };
}
