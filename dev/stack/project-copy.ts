import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { type Ports, portList } from './ports.ts';
import { projectDir, projectFile } from './project.ts';

/**
 * Copies the files of this project that git knows, for a program that changes them. The packages are links to those of this project.
 *
 * @returns the new folder, which the caller removes.
 */
export async function copyProject(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'warren-project-'));
  const { stdout } = await promisify(execFile)('git', ['ls-files', '-z'], {
    cwd: projectDir,
    maxBuffer: 1 << 26,
  });
  for (const file of stdout.split('\0').filter(Boolean)) {
    await mkdir(join(folder, dirname(file)), { recursive: true });
    await cp(projectFile(file), join(folder, file));
  }
  const packages = join(folder, 'node_modules');
  await mkdir(packages);
  for (const name of await readdir(projectFile('node_modules'))) {
    if (name !== 'warren') await symlink(projectFile(`node_modules/${name}`), join(packages, name));
  }
  await symlink('../runtime', join(packages, 'warren'));
  return folder;
}

/** The variables that give `npm start` its ports. */
export const portVariables = (ports: Ports): Record<string, string> =>
  Object.fromEntries(portList.map(({ name, variable }) => [variable, String(ports[name])]));
