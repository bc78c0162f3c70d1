import { readFile } from 'node:fs/promises';
import { build, type Metafile, type StdinOptions } from 'esbuild';
import { projectDir, projectFile } from '../../../dev/stack/project.ts';
import { readService } from './serverless.ts';

export interface Bundle {
  code: string;
  /** Packages that something in the bundle comes from, or that it imports beside itself. */
  packages: string[];
  /** Files of ours, of which something is in the bundle. */
  files: string[];
}

/** Bundles a handler as serverless-esbuild does for its artifact, and reads from esbuild's metafile what it is made of. */
export async function bundleOf(handler: string): Promise<Bundle> {
  return bundle({ entryPoints: [projectFile(handler.replace(/\.handler$/, '.ts'))] });
}

/** A bundle of only what the files of a handler import from packages and from Node, by the same names. */
export async function librariesOf(handler: string): Promise<Bundle> {
  const { files } = await bundleOf(handler);
  const lines = await Promise.all(
    files.map(async (file) => packageImports(await readFile(projectFile(file), 'utf8'))),
  );
  const contents = [...new Set(lines.flat())].join('\n');
  return bundle({ stdin: { contents, resolveDir: projectDir, loader: 'ts' } });
}

async function bundle(entry: { entryPoints: string[] } | { stdin: StdinOptions }): Promise<Bundle> {
  const { custom } = await readService();
  const { outputFileExtension, outputWorkFolder, watch, ...options } = custom.esbuild;
  const { metafile, outputFiles } = await build({
    ...options,
    ...entry,
    absWorkingDir: projectDir,
    outfile: projectFile('.esbuild/none.mjs'),
    write: false,
    metafile: true,
  });
  return { code: outputFiles[0]?.text ?? '', ...contentsOf(metafile, options['external'] as string[]) };
}

function contentsOf({ outputs }: Metafile, external: readonly string[]): Pick<Bundle, 'packages' | 'files'> {
  const [output] = Object.values(outputs);
  const inputs = Object.entries(output?.inputs ?? {}).flatMap(([path, { bytesInOutput }]) => {
    return bytesInOutput > 0 ? [path] : [];
  });
  const bundled = inputs.flatMap((path) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []);
  const beside = (output?.imports ?? []).map(({ path }) => path).filter((path) => external.includes(path));
  return {
    packages: [...new Set([...bundled, ...beside])].sort(),
    files: inputs.filter((path) => !path.includes('node_modules/')),
  };
}

/** The imports of values from packages, and from Node itself, that a file of ours makes, as exports, so that they stay in a bundle. */
async function packageImports(source: string): Promise<string[]> {
  const imports = [...source.matchAll(/^import (?!type )([^;]*?) from '((?!warren\/)[^.'][^']*)';/gm)];
  const lines = imports.map(async ([, what = '', from = '']) => {
    const alias = (name: string) => `${name}_${from.replace(/\W/g, '_')}`;
    const [, star] = /^\* as (\w+)$/.exec(what) ?? [];
    // All of a namespace would be more than a bundler keeps: it drops the exports that no file names.
    const members = star ? await membersOf(star, { source, from }) : [];
    if (star) return members.map((name) => `export { ${name} as ${alias(name)} } from '${from}';`);
    const [, standard = '', braced = ''] = /^(\w+)?,? ?(?:\{([^}]*)\})?$/.exec(what) ?? [];
    const names = braced.split(',').flatMap((each) => {
      const [name = ''] = each.trim().split(' as ');
      return name === '' || name.startsWith('type ') ? [] : [`${name} as ${alias(name)}`];
    });
    const all = [...(standard ? [`default as ${alias(standard)}`] : []), ...names];
    return all.map((each) => `export { ${each} } from '${from}';`);
  });
  return (await Promise.all(lines)).flat();
}

/** The exports of a package that a file names as members of its namespace; types are none. */
async function membersOf(
  namespace: string,
  { source, from }: { source: string; from: string },
): Promise<string[]> {
  const exported = await import(from);
  const named = [...source.matchAll(new RegExp(`\\b${namespace}\\.(\\w+)`, 'g'))].map(
    ([, name = '']) => name,
  );
  return [...new Set(named)].filter((name) => name in exported);
}
