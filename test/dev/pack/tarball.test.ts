import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { projectDir, projectFile } from '../../../dev/stack/project.ts';
import { type Packed, packRuntime } from '../../support/packed.ts';

const run = promisify(execFile);

const readJson = async <Content>(path: string) => JSON.parse(await readFile(path, 'utf8')) as Content;

interface PackageJson {
  version: string;
  dependencies: Record<string, string>;
  exports: Record<string, string>;
}

/** Words of the sample and of the workshop, which mean nothing in a project that uses the package. */
const sampleWords = [
  /pictures?\b|\balerts?\b|\bbookings?\b|\bdogs?\b|chihuahua/i,
  /\bfriends?\b|alert_user|rpc_user|alertme|rpcme/i,
  /npm start|(?<![\w)\]?])\.data\b|stack\.env/,
  /\bdev\/(?!null)|\btest\/|\bshared\/|\/work\//i,
];
/** Only `warren dev` names the programs of the parts that it starts. */
const partWords = /MAILBOX_URL|\bmaildev|s3rver/i;

/** Names in the sample's serverless.yml of two words, such as `email-alert` and `rate_limit`. */
async function sampleNames(): Promise<string[]> {
  const yml = parse(await readFile(projectFile('serverless.yml'), 'utf8'), { merge: true });
  const { exchanges, queues } = yml.custom.warren as Record<string, object>;
  const names = [yml.functions, exchanges, queues].flatMap((each: object) => Object.keys(each));
  return [...new Set(names)].filter((name) => /[-_]/.test(name));
}

const pageFolder = 'board/page/';

/** `@scope/name/file` is part of the package `@scope/name`. */
const packageOf = (specifier: string) => /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? '';

describe('tarball', () => {
  let packed: Packed;
  let folder: string;
  let content: string;
  let files: string[];
  let page: string[];
  beforeAll(async () => {
    packed = await packRuntime();
    folder = await mkdtemp(join(tmpdir(), 'warren-tarball-'));
    content = join(folder, 'node_modules', 'warren');
    await mkdir(content, { recursive: true });
    await run('tar', ['-xzf', packed.archive, '-C', content, '--strip-components', '1']);
    const entries = await readdir(content, { recursive: true, withFileTypes: true });
    const paths = entries.filter((each) => each.isFile()).map((each) => join(each.parentPath, each.name));
    const all = paths.map((path) => path.slice(content.length + 1)).sort();
    // The template of a new project is none of the package's code: init.test.ts runs it.
    // The page of the board is bundled, with code of other packages.
    page = all.filter((file) => file.startsWith(pageFolder));
    files = all.filter((file) => !file.startsWith('template/') && !file.startsWith(pageFolder));
  }, 300_000);
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
    await packed.remove();
  });

  const linesOf = async (file: string) => (await readFile(join(content, file), 'utf8')).split('\n');

  it('contains compiled files and declarations, no TypeScript source and no test', () => {
    expect(files).toEqual(expect.arrayContaining(['package.json', 'LICENSE', 'README.md', 'functions.js']));
    expect(files).toEqual(expect.arrayContaining(['functions.d.ts', 'testing.js', 'cli/warren.cjs']));
    const known = /\.(js|d\.ts|cjs)$|^(package\.json|serverless\.schema\.json|LICENSE|README\.md)$/;
    expect(files.filter((file) => !known.test(file) || /\.test\.|^test\//.test(file))).toEqual([]);
  });

  it('contains the built page of the board with the licenses of its packages, within 250 kB compressed', async () => {
    const built = /^board\/page\/dist\/(index\.html|licenses\.txt|assets\/[\w-]+-[A-Z0-9]{8}\.(js|css|svg))$/;
    expect(page.filter((file) => !built.test(file))).toEqual([]);
    expect(page).toEqual(expect.arrayContaining([`${pageFolder}dist/index.html`]));
    const licenses = await readFile(join(content, pageFolder, 'dist/licenses.txt'), 'utf8');
    for (const name of ['preact', 'uplot', '@codemirror/view']) expect(licenses).toMatch(`${name} `);
    const bodies = await Promise.all(page.map((file) => readFile(join(content, file))));
    expect(bodies.reduce((sum, body) => sum + gzipSync(body).length, 0)).toBeLessThan(250_000);
  });

  it('contains a compiled file for each declaration and the other way round', () => {
    const stems = (end: string) =>
      files.filter((file) => file.endsWith(end)).map((file) => file.slice(0, -end.length));
    expect(stems('.d.ts')).toEqual(stems('.js'));
  });

  it('names nothing of the sample or the workshop', async () => {
    const names = new RegExp(`(?<![\\w-])(${(await sampleNames()).join('|')})(?![\\w-])`);
    const found: string[] = [];
    for (const file of files) {
      const patterns = [...sampleWords, names, ...(file.startsWith('local/parts/') ? [] : [partWords])];
      for (const [index, line] of (await linesOf(file)).entries()) {
        const words = patterns.flatMap((pattern) => pattern.exec(line)?.[0] ?? []);
        if (words.length > 0) found.push(`${file}:${index + 1} ${words.join(', ')}: ${line.trim()}`);
      }
    }
    expect(found).toEqual([]);
  });

  it('depends on the packages that its files import, and on no others', async () => {
    const scripts = files.filter((file) => /\.c?js$/.test(file));
    const { metafile } = await build({
      absWorkingDir: content,
      entryPoints: scripts,
      bundle: true,
      packages: 'external',
      platform: 'node',
      format: 'esm',
      metafile: true,
      write: false,
      outdir: 'out',
      entryNames: '[dir]/[name]-[hash]',
      logLevel: 'error',
      // The two CommonJS files load TypeScript with tsx in this repository, which the package does not contain.
      external: ['*.ts'],
    });
    const loaded = Object.entries(metafile.inputs).flatMap(([file, { imports }]) =>
      imports
        .filter(({ path, external }) => external && !isBuiltin(path) && !/\.ts$/.test(path))
        .filter(({ path }) => !(packageOf(path) === 'tsx' && file.endsWith('.cjs')))
        .map(({ path }) => packageOf(path)),
    );
    const declarations = files.filter((file) => file.endsWith('.d.ts'));
    const declared: string[] = [];
    for (const file of declarations) {
      const text = (await readFile(join(content, file), 'utf8')).replaceAll(/\/\*[\s\S]*?\*\//g, '');
      const specifiers = [...text.matchAll(/(?:from |import\()["']([^"'.][^"']*)["']/g)];
      const packages = specifiers.map(([, specifier = '']) => packageOf(specifier));
      // Lambda's types have no package of that name to run.
      declared.push(...packages.map((name) => (name === 'aws-lambda' ? '@types/aws-lambda' : name)));
    }
    const imported = [...new Set([...loaded, ...declared])].filter((name) => !isBuiltin(name)).sort();
    const { dependencies } = await readJson<PackageJson>(join(content, 'package.json'));
    expect(Object.keys(dependencies).sort()).toEqual(imported);
  });

  it('has the version of the sample, and the versions that its lock file checks', async () => {
    const own = await readJson<PackageJson>(join(content, 'package.json'));
    const root = await readJson<PackageJson & { devDependencies: Record<string, string> }>(
      projectFile('package.json'),
    );
    expect(own.version).toBe(root.version);
    const both = { ...root.devDependencies, ...root.dependencies };
    const different = Object.entries(own.dependencies).filter(
      ([name, version]) => both[name] !== undefined && both[name] !== version,
    );
    expect(different).toEqual([]);
  });

  /** A project that resolves `warren` to the workspace, and a project that resolves it to the unpacked tarball. */
  const places = {
    workspace: async () => {
      const project = await mkdtemp(join(folder, 'workspace-'));
      await mkdir(join(project, 'node_modules'));
      await symlink(projectFile('runtime'), join(project, 'node_modules', 'warren'));
      return { project, from: projectDir };
    },
    tarball: async () => ({ project: folder, from: folder }),
  };

  it.each(['workspace', 'tarball'] as const)('%s: Node refuses a deep import', async (place) => {
    const { from } = await places[place]();
    const script = `
      const codes = ['warren/functions', 'warren/base/errors.js', 'warren/base/errors.ts'].map((name) => {
        try { import.meta.resolve(name); return 'found'; } catch (error) { return error.code; }
      });
      console.log(codes.join(' '));
    `;
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], { cwd: from });
    const refused = 'ERR_PACKAGE_PATH_NOT_EXPORTED';
    expect(stdout.trim()).toBe(`found ${refused} ${refused}`);
  });

  it.each(['workspace', 'tarball'] as const)(
    '%s: the compiler finds the public entries and refuses a deep import',
    async (place) => {
      const { project } = await places[place]();
      const { exports } = await readJson<PackageJson>(join(content, 'package.json'));
      const entries = Object.keys(exports).filter((each) => /^\.\/\w+$/.test(each));
      expect(entries.length).toBeGreaterThanOrEqual(6);
      const specifiers = [...entries.map((each) => `warren${each.slice(1)}`), 'warren/base/errors.js'];
      const source = specifiers.map((each, index) => `export * as e${index} from '${each}';\n`).join('');
      await writeFile(join(project, 'check.mts'), source);
      const options = [
        '--noEmit',
        '--pretty',
        'false',
        '--skipLibCheck',
        '--module',
        'nodenext',
        '--target',
        'es2023',
      ];
      const tsc = projectFile('node_modules/typescript/bin/tsc');
      const error = await run(
        process.execPath,
        [tsc, ...options, '--allowImportingTsExtensions', '--types', '', 'check.mts'],
        { cwd: project },
      ).catch((failed: { stdout: string }) => failed);
      const missing = error.stdout.split('\n').filter((line) => /^check\.mts.* error TS2307/.test(line));
      expect(missing).toEqual([expect.stringContaining("'warren/base/errors.js'")]);
    },
  );
});
