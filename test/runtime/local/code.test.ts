import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, open, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
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

  it('nothing is left of a build that a close ends at any moment, and nothing is built after it', async () => {
    const files = Array.from({ length: 40 }, (_, n) => `src/many/${n}.ts`);
    await mkdir(join(root, 'src/many'));
    for (const file of files) await writeFile(join(root, file), `console.log(${JSON.stringify(file)});`);
    for (let ms = 0; ms < 60; ms += 2) {
      const many = new Code({ root, outdir: join(root, '.warren/code/many'), files });
      const built = many.build().catch(() => 'canceled');
      await pause(ms);
      await many.close();
      expect(existsSync(many.folder), `after ${ms} ms`).toBe(false);
      await built;
      expect((await many.build()).changed).toEqual([]);
      expect(existsSync(many.folder), `after ${ms} ms`).toBe(false);
    }
  });

  it('a saved file is a change also if the path of the project ends with a slash', async () => {
    await code.close();
    code = new Code({ root: `${root}/`, outdir: join(root, '.warren/code/two'), files: ['src/work.ts'] });
    expect((await code.build()).changed).toEqual(['src/work.ts']);
    expect((await code.build()).changed).toEqual([]);
    await writeFile(join(root, 'src/work.ts'), 'console.log(2);');
    expect((await code.build()).changed).toEqual(['src/work.ts']);
  });

  it('a process that reads a bundle during a build gets a whole one', async () => {
    await code.build();
    const reader = await open(join(code.folder, 'src/work.mjs'));
    await writeFile(join(root, 'src/work.ts'), 'console.log(2);');
    await code.build();
    expect(await reader.readFile('utf8')).toContain('console.log(lib, ');
    await reader.close();
  });

  it('a save builds the bundles that are made of the file, and then all if it is not known what it changes', async () => {
    await code.close();
    const entries = ['src/one.ts', 'src/two.ts', 'src/work.ts'];
    const write = (file: string, text: string) => writeFile(join(root, file), text);
    const saved = (file: string) => new Set([join(root, file)]);
    await write('src/one.ts', `import { shared } from './shared.ts'; console.log(shared);`);
    await write('src/two.ts', `import { own } from './own'; console.log(own);`);
    await write('src/shared.ts', 'export const shared: number = 1;');
    await write('src/own.js', 'export const own = 1;');
    code = new Code({ root, outdir: join(root, '.warren/code/two'), files: entries });
    expect(await code.build()).toMatchObject({ changed: entries, isWhole: true });

    await write('src/shared.ts', 'export const shared: number = 2;');
    await write('src/own.js', 'export const own = 2;');
    expect(await code.build(saved('src/shared.ts'))).toMatchObject({
      changed: ['src/one.ts'],
      isWhole: true,
    });
    // A mistake in one bundle and a file that takes the place of another one: the next build is of all again.
    await write('src/shared.ts', 'export const shared = ;');
    await write('src/own.ts', 'export const own: number = 3;');
    await expect(code.build(saved('src/shared.ts'))).rejects.toThrow(/shared\.ts:1:22: ERROR/);
    await write('src/shared.ts', 'export const shared: number = 3;');
    const mended = await code.build(saved('src/shared.ts'));
    expect(mended).toMatchObject({ changed: ['src/one.ts'], isWhole: false });
    expect(await code.build()).toMatchObject({ changed: ['src/two.ts'], isWhole: true });
    const unknown = await code.build(saved('src/new.ts'));
    expect(unknown).toMatchObject({ changed: [], isWhole: true });
  });
});
