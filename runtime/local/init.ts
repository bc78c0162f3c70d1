import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { WarrenError } from '../base/errors.ts';

export interface InitOptions {
  /** Folder of the new project, which must not exist. Its last part is the name of the service. */
  folder: string;
  language: 'typescript' | 'javascript';
  /** Path of this package's tarball; default it is packed from the folder of the running program. */
  tarball?: string | undefined;
}

const packageFolder = fileURLToPath(new URL('../', import.meta.url));

/** npm would take these names for its own. */
const renamed: readonly (readonly [string, string])[] = [
  ['gitignore', '.gitignore'],
  ['github/ci.yml', '.github/workflows/ci.yml'],
];

/**
 * Writes a new project from the template of this package. It has the package's tarball in it, because the name `warren` on npm is
 * not ours.
 *
 * @returns the files of the project, which is removed again if it cannot be written whole.
 * @throws WarrenError ERR_CONFIG if the folder exists, its name is none for a package, or the package cannot be packed.
 */
export async function initProject({ folder, language, tarball }: InitOptions): Promise<string[]> {
  const root = resolve(folder);
  const name = basename(root);
  if (!/^[a-z][a-z0-9-]*$/.test(name)) {
    throw new WarrenError('ERR_CONFIG', `folder: expected a name of a-z, 0-9 and "-", got "${name}"`);
  }
  if (existsSync(root)) {
    throw new WarrenError('ERR_CONFIG', `folder: expected one that does not exist, got "${folder}"`);
  }
  const made = await mkdir(root, { recursive: true });
  try {
    return await fillProject(root, { name, language, tarball });
  } catch (error) {
    // The corrected command would be refused otherwise.
    await rm(made ?? root, { recursive: true, force: true });
    throw error;
  }
}

async function fillProject(
  root: string,
  { name, language, tarball }: Omit<InitOptions, 'folder'> & { name: string },
): Promise<string[]> {
  const archive = await addTarball(root, tarball);
  const template = join(packageFolder, 'template');
  const moved = new Set(renamed.map(([from]) => join(template, 'common', from.split('/')[0] ?? '')));
  await cp(join(template, 'common'), root, { recursive: true, filter: (path) => !moved.has(path) });
  await cp(join(template, language), root, { recursive: true });
  for (const [from, to] of renamed) {
    await mkdir(join(root, to, '..'), { recursive: true });
    await copyFile(join(template, 'common', from), join(root, to));
  }
  const contracts = language === 'javascript' ? 'contracts.js' : 'contracts.ts';
  await replaceIn(join(root, 'serverless.yml'), (text) =>
    text.replaceAll('my-service', name).replace('contracts.ts', contracts),
  );
  await replaceIn(join(root, 'package.json'), (text) => {
    const content = JSON.parse(text) as { dependencies: object };
    const dependencies = { warren: `file:${archive}`, ...content.dependencies };
    return `${JSON.stringify({ ...content, name, dependencies }, null, 2)}\n`;
  });
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = entries.filter((each) => each.isFile()).map((each) => join(each.parentPath, each.name));
  return files.map((file) => file.slice(root.length + 1)).sort();
}

async function addTarball(root: string, tarball: string | undefined): Promise<string> {
  if (tarball !== undefined) {
    const name = basename(tarball);
    await copyFile(tarball, join(root, name)).catch((cause: NodeJS.ErrnoException) => {
      throw new WarrenError('ERR_CONFIG', `--package: ${tarball} can't be read (${cause.code})`, { cause });
    });
    return name;
  }
  if (!existsSync(join(packageFolder, 'functions.js'))) {
    throw new WarrenError(
      'ERR_CONFIG',
      '--package: expected a tarball, because this program is not compiled',
    );
  }
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', root];
  const { stdout } = await promisify(execFile)('npm', args, { cwd: packageFolder });
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
  return filename;
}

async function replaceIn(file: string, replace: (text: string) => string): Promise<void> {
  await writeFile(file, replace(await readFile(file, 'utf8')));
}
