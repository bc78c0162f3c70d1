// Builds the page of the board into dist/, or into the folder that the argument names. It is a part of `npm run build`; the
// repository's `warren board` does it at its start. The package contains the built files only.
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const own = fileURLToPath(new URL('.', import.meta.url));

/**
 * Builds the page: index.html, and assets whose names have a hash of their content.
 *
 * @param outdir folder that is replaced, default dist/ beside this file.
 */
export async function buildPage(outdir = join(own, 'dist')) {
  await rm(outdir, { recursive: true, force: true });
  const { metafile } = await build({
    absWorkingDir: own,
    entryPoints: { board: 'main.tsx', style: 'styles/style.css', icon: 'icon.svg' },
    outdir: join(outdir, 'assets'),
    entryNames: '[name]-[hash]',
    chunkNames: '[name]-[hash]',
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    loader: { '.svg': 'copy' },
    metafile: true,
    legalComments: 'none',
  });
  const { outputs, inputs } = metafile;
  const built = ([name, extension]) => {
    const found = Object.keys(outputs).find((path) => {
      const file = basename(path);
      return file.startsWith(`${name}-`) && file.endsWith(extension);
    });
    return `/assets/${basename(found)}`;
  };
  const html = await readFile(join(own, 'index.html'), 'utf8');
  const filled = html
    .replace('%ICON%', built(['icon', '.svg']))
    .replace('%STYLE%', built(['style', '.css']))
    .replace('%SCRIPT%', built(['board', '.js']));
  await writeFile(join(outdir, 'index.html'), filled);
  await writeFile(join(outdir, 'licenses.txt'), await licensesOf(Object.keys(inputs)));
}

/** The licenses of the packages in the built files, which these require with each copy. */
async function licensesOf(inputs) {
  const folders = new Set(
    inputs.flatMap((path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []),
  );
  const texts = await Promise.all(
    [...folders].sort().map(async (folder) => {
      const path = join(own, folder);
      const license = (await readdir(path)).find((name) => /^licen[cs]e/i.test(name));
      const { name, version } = JSON.parse(await readFile(join(path, 'package.json'), 'utf8'));
      return `${name} ${version}\n\n${license ? await readFile(join(path, license), 'utf8') : ''}`;
    }),
  );
  return texts.join('\n\n');
}

if (process.argv[1] && dirname(process.argv[1]) === dirname(fileURLToPath(import.meta.url))) {
  await buildPage(process.argv[2]);
}
