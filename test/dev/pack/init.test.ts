import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Parser } from '@asyncapi/parser';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectFile } from '../../../dev/stack/project.ts';
import { openBroker, type TestBroker } from '../../support/broker.ts';
import { type InstalledPackage, installPacked } from '../../support/packed.ts';
import { stack } from '../../support/stack.ts';

const run = promisify(execFile);

/** In the packed runtime, which finds its other packages in this repository. */
describe('warren init', () => {
  let packed: InstalledPackage;
  let folder: string;
  let broker: TestBroker;

  beforeAll(async () => {
    [packed, broker] = await Promise.all([installPacked(), openBroker()]);
    folder = packed.folder;
  }, 60_000);
  afterAll(() => Promise.all([broker.close(), packed.remove()]));

  const warren = (args: string[]) => packed.warren(args);
  const path = { PATH: `${projectFile('node_modules/.bin')}:${process.env['PATH']}` };

  it.each(['typescript', 'javascript'])(
    'a %s project has at most ten files, and its test passes without a broker',
    async (language) => {
      const name = `my-${language}`;
      const options = language === 'javascript' ? ['--javascript'] : [];
      const { stdout } = await warren(['init', name, '--yes', '--package', packed.archive, ...options]);
      const files = stdout.split('\n').filter((line) => line.startsWith(`${name}/`));
      expect(files.length).toBeLessThanOrEqual(10);
      expect(files).toEqual(
        expect.arrayContaining([`${name}/.gitignore`, `${name}/.github/workflows/ci.yml`]),
      );
      const cwd = join(folder, name);
      const { scripts, dependencies } = JSON.parse(await readFile(join(cwd, 'package.json'), 'utf8'));
      expect(dependencies.warren).toMatch(/^file:warren-.*\.tgz$/);
      const tested = await run('sh', ['-c', scripts.test], {
        cwd,
        env: { ...process.env, ...path, AMQP_URL: '' },
      });
      expect(tested.stdout).toMatch(/pass 1\n/);
    },
    60_000,
  );

  it.each(['typescript', 'javascript'])(
    'a %s project is packed with its contracts, and another project reads them by its name',
    async (language) => {
      const name = `packed-${language}`;
      const options = language === 'javascript' ? ['--javascript'] : [];
      await warren(['init', name, '--yes', '--package', packed.archive, ...options]);
      const cwd = join(folder, name);
      // As `npm install` links it.
      const bin = join(cwd, 'node_modules/.bin');
      await mkdir(bin, { recursive: true });
      await symlink(packed.program, join(bin, 'warren'));
      const { stdout } = await run('npm', ['pack', '--silent'], { cwd });

      const client = join(folder, `client-of-${language}`);
      const installed = join(client, 'node_modules', name);
      await mkdir(installed, { recursive: true });
      await run('tar', ['-xzf', join(cwd, stdout.trim()), '-C', installed, '--strip-components', '1']);
      expect((await readdir(installed)).sort()).toEqual(['asyncapi.json', 'package.json']);
      const script = `
        import { createRequire } from 'node:module';
        console.log(JSON.stringify(createRequire(process.cwd() + '/client.js')('${name}/asyncapi.json')));`;
      const read = await run(process.execPath, ['--input-type=module', '-e', script], { cwd: client });
      const diagnostics = await new Parser().validate(read.stdout);
      expect(diagnostics.filter(({ severity }) => severity === 0)).toEqual([]);
      expect(JSON.parse(read.stdout)).toMatchObject({
        info: { title: name, version: '0.1.0' },
        operations: { 'receive.parcel-ordered.parcels': { 'x-warren-functions': ['send-parcel'] } },
      });
    },
    60_000,
  );

  it('packs its own package into a project if no tarball is given, and refuses a folder that exists', async () => {
    const { stdout } = await warren(['init', 'packs-itself']);
    expect(stdout).toMatch(/packs-itself\/warren-.*\.tgz/);
    await expect(warren(['init', 'packs-itself'])).rejects.toThrow(
      /folder: expected one that does not exist/,
    );
  }, 60_000);

  it('a tarball that cannot be read leaves no folder, so that the corrected command works', async () => {
    await expect(warren(['init', 'in/corrected', '--package', 'none.tgz'])).rejects.toThrow(
      /--package: none\.tgz can't be read \(ENOENT\)/,
    );
    expect(existsSync(join(folder, 'in'))).toBe(false);
    const { stdout } = await warren(['init', 'in/corrected', '--package', packed.archive]);
    expect(stdout).toMatch(/in\/corrected\/package\.json/);
  }, 60_000);

  it('warren dev feeds the function of a new project and prints what became of a message', async () => {
    await warren(['init', 'fed', '--package', packed.archive]);
    const cwd = join(folder, 'fed');
    const queue = await broker.queue('parcels');
    const yml = await readFile(join(cwd, 'serverless.yml'), 'utf8');
    // Names of its own, because the broker is that of all tests.
    await writeFile(
      join(cwd, 'serverless.yml'),
      yml
        .replaceAll('parcels', queue)
        .replace(/ {4}exchanges:\n.*\n/, '')
        .replace(/\{ bindings: .*\}/, '{}'),
    );
    const env = { ...process.env, AMQP_URL: stack.AMQP_URL };
    const child = spawn(process.execPath, [packed.program, 'dev', '--port', '0'], { cwd, env });
    let printed = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (printed += data));
    const exited = new Promise((resolve) => child.once('exit', resolve));
    await expect.poll(() => printed, { timeout: 30_000 }).toMatch(/up after/);
    await broker.send(queue, { order_id: 7, city: 'Oslo' });
    await expect
      .poll(() => printed, { timeout: 30_000 })
      .toMatch(/sent parcel 7 to Oslo[\s\S]*send-parcel.*ms.*done/);
    child.kill('SIGTERM');
    expect(await exited).toBe(0);
  }, 90_000);
});
