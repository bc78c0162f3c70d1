import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { projectFile } from '../../dev/stack/project.ts';

const run = promisify(execFile);

/** The runtime's package, packed for one test file. */
export interface Packed {
  /** Path of the tarball. */
  archive: string;
  remove(): Promise<void>;
}

/** Packs the runtime into a folder of its own in dist/, because several test files pack it at the same time. */
export async function packRuntime(): Promise<Packed> {
  await mkdir(projectFile('dist'), { recursive: true });
  const folder = await mkdtemp(projectFile('dist/packed-'));
  await run(process.execPath, [projectFile('dev/pack/pack.mjs'), folder]);
  const name = (await readdir(folder)).find((each) => each.endsWith('.tgz'));
  if (name === undefined) throw new Error(`${folder}: expected a tarball, found none`);
  return { archive: join(folder, name), remove: () => rm(folder, { recursive: true, force: true }) };
}

/** The packed runtime in a folder within this repository's packages, which stand in for `npm install`. */
export interface InstalledPackage {
  folder: string;
  /** Path of the tarball. */
  archive: string;
  /** Path of the command. */
  program: string;
  /** Runs the command in the folder. */
  warren(args: readonly string[]): Promise<{ stdout: string }>;
  remove(): Promise<void>;
}

export async function installPacked(): Promise<InstalledPackage> {
  const packed = await packRuntime();
  const folder = await mkdtemp(join(projectFile('node_modules'), '.packed-test-'));
  const content = join(folder, 'node_modules/warren');
  await mkdir(content, { recursive: true });
  await run('tar', ['-xzf', packed.archive, '-C', content, '--strip-components', '1']);
  const program = join(content, 'cli/warren.cjs');
  return {
    folder,
    archive: packed.archive,
    program,
    warren: (args) => run(process.execPath, [program, ...args], { cwd: folder }),
    async remove() {
      await packed.remove();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
