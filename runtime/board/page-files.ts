import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { WarrenError } from '../base/errors.ts';

/** A file of the page, in memory. */
export interface PageFile {
  type: string;
  body: Buffer;
  /** The body compressed, if that makes it smaller. */
  gzipped: Buffer | undefined;
  /** Whether its name has a hash of its content. */
  isHashed: boolean;
}

/** The files of the page by their paths, such as `/assets/board-X.js`; `/` is the page itself. */
export type PageFiles = ReadonlyMap<string, PageFile>;

const types: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  txt: 'text/plain; charset=utf-8',
};

/**
 * Reads the page of the board: the built files of the package, or of another folder. In the repository, it builds them first.
 *
 * @param folder default the package's own; without that, there is no page.
 * @throws WarrenError ERR_CONFIG if the folder has no page.
 */
export async function readPage(folder?: string): Promise<PageFiles> {
  if (folder !== undefined) return readFiles(folder);
  const script = new URL('page/build.mjs', import.meta.url);
  const isRepository = await stat(script).then(Boolean, () => false);
  if (!isRepository) {
    const own = fileURLToPath(new URL('page/dist', import.meta.url));
    // A bundle has no files beside it: the API works without the page.
    return (await stat(own).then(Boolean, () => false)) ? readFiles(own) : new Map();
  }
  const out = await mkdtemp(join(tmpdir(), 'warren-board-page-'));
  try {
    const { buildPage } = (await import(script.href)) as { buildPage(out: string): Promise<void> };
    await buildPage(out);
    return await readFiles(out);
  } finally {
    // A build that was ended may have removed it and not made it again.
    await rm(out, { recursive: true, force: true });
  }
}

async function readFiles(folder: string): Promise<PageFiles> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch((cause: unknown) => {
    throw new WarrenError('ERR_CONFIG', `${folder}: expected the built page of the board`, { cause });
  });
  const files = new Map<string, PageFile>();
  for (const entry of found.filter((each) => each.isFile())) {
    const path = join(entry.parentPath, entry.name);
    files.set(`/${relative(folder, path).split(sep).join('/')}`, await readOne(path));
  }
  const page = files.get('/index.html');
  if (!page) throw new WarrenError('ERR_CONFIG', `${folder}: expected index.html, the page of the board`);
  return files.set('/', page);
}

async function readOne(path: string): Promise<PageFile> {
  const body = await readFile(path);
  const gzipped = await promisify(gzip)(body, { level: 9 });
  return {
    type: types[path.split('.').pop() ?? ''] ?? 'application/octet-stream',
    body,
    gzipped: gzipped.length < body.length ? gzipped : undefined,
    isHashed: /-[A-Z0-9]{8}\.\w+$/.test(path),
  };
}
