import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { projectFile } from '../../dev/stack/project.ts';
import { installPacked } from './packed.ts';

/** The project of docs/tutorial.md after its first step. */
export interface TutorialProject {
  folder: string;
  /** The PATH on which the programs of its packages are found. */
  path: string;
  remove(): Promise<void>;
}

export async function tutorialProject(): Promise<TutorialProject> {
  const { folder, archive, warren, remove } = await installPacked();
  await warren(['init', 'treats', '--package', archive]);
  const bin = join(folder, 'node_modules/.bin');
  await mkdir(bin);
  await symlink('../warren/cli/warren.cjs', join(bin, 'warren'));
  return {
    folder: join(folder, 'treats'),
    path: `${bin}:${projectFile('node_modules/.bin')}:${process.env['PATH']}`,
    remove,
  };
}
