import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { projectFile } from '../../../dev/stack/project.ts';
import { Code } from '../../../runtime/local/code.ts';

/** A project with a package of its workspace, and packages of the same name in both. */
const files = {
  'src/work.ts': `import { lib } from 'lib'; import { name } from 'dep'; console.log(lib, name);`,
  'node_modules/dep/package.json': '{ "name": "dep", "type": "module", "exports": "./index.js" }',
  'node_modules/dep/index.js': `export const name = 'root';`,
  'packages/lib/package.json': '{ "name": "lib", "type": "module", "exports": "./index.ts" }',
  'packages/lib/index.ts': `import { name } from 'dep'; import { only } from 'only'; export const lib: string = name + ' ' + only;`,
  'packages/lib/node_modules/dep/package.json':
    '{ "name": "dep", "type": "module", "exports": "./index.js" }',
  'packages/lib/node_modules/dep/index.js': `export const name = 'nested';`,
  'packages/lib/node_modules/only/package.json':
    '{ "name": "only", "exports": { "module": "./bundler.js", "default": "./node.cjs" } }',
  'packages/lib/node_modules/only/bundler.js': `export const only = 'for bundlers';`,
  'packages/lib/node_modules/only/node.cjs': `exports.only = 'for Node';`,
};

describe('the code of a project', () => {
  let root: string;
  let code: Code;

  beforeEach(async () => {
    root = await realpath(await mkdtemp(join(tmpdir(), 'code-test-')));
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), text);
    }
    await symlink('../packages/lib', join(root, 'node_modules/lib'));
    await symlink(projectFile('node_modules/esbuild'), join(root, 'node_modules/esbuild'));
    code = new Code({ root, outdir: join(root, '.warren/code/one'), files: ['src/work.ts'] });
  });
  afterEach(async () => {
    await code.close();
    await rm(root, { recursive: true, force: true });
  });

  it('a bundle finds the packages that only a package of the workspace has installed', async () => {
    expect((await code.build()).changed).toEqual(['src/work.ts']);
    const { stdout } = await promisify(execFile)(process.execPath, [join(code.folder, 'src/work.mjs')]);
    expect(stdout).toBe('nested for Node root\n');
  });

  it('a saved file is a change also if the path of the project ends with a slash', async () => {
    await code.close();
    code = new Code({ root: `${root}/`, outdir: join(root, '.warren/code/two'), files: ['src/work.ts'] });
    expect((await code.build()).changed).toEqual(['src/work.ts']);
    expect((await code.build()).changed).toEqual([]);
    await writeFile(join(root, 'src/work.ts'), 'console.log(2);');
    expect((await code.build()).changed).toEqual(['src/work.ts']);
  });
});
