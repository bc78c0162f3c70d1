/**
 * Triggered by `GET /` and `GET /page/{file}`: serves the page and its files. They are public, because the page requests its
 * data with the token of the signed-in user. Reads only.
 */

import { readdir, readFile } from 'node:fs/promises';
import { type Log, lambda, log } from 'warren/functions';
import { fileReply, type PageSecurity, Problem, publicFunction } from 'warren/http';
import { storage } from '../../shared/storage/resource.ts';
import type { Storage } from '../../shared/storage/storage.ts';

const folder = 'functions/page/files';

interface Deps {
  storage: Pick<Storage, 'url' | 'putUrl'>;
  log?: Log;
}

export function createHandler({ storage, log }: Deps) {
  return publicFunction({ log, security }, async (event) => {
    const name = event.pathParameters?.['file'] ?? 'index.html';
    // Relative to the working directory of Lambda (the artifact's folder) or serverless-offline (the project's).
    if (!(await readdir(folder)).includes(name)) {
      throw new Problem(404, 'No such file', `file: the page has no "${name}"`);
    }
    const reply = fileReply(event, { name, body: await readFile(`${folder}/${name}`, 'utf8') });
    const policy = name === 'index.html' && { 'content-security-policy': await securityPolicy(storage) };
    return { ...reply, headers: { ...reply.headers, ...policy } };
  });
}

/** Allows only our own files, and the storage for pictures and large uploads. */
async function securityPolicy(storage: Deps['storage']): Promise<string> {
  // AWS S3 has a separate origin for each bucket.
  const [read, write] = await Promise.all([
    storage.url('any'),
    storage.putUrl('any', { contentType: 'image/jpeg', bytes: 1 }, 1),
  ]);
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    `img-src 'self' data: blob: ${new URL(read).origin}`,
    `connect-src 'self' ${new URL(write).origin}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');
}

/** Headers that differ from those of an API response. */
const security: PageSecurity = {
  contentSecurityPolicy: false,
  // It would require a header on each picture of the storage that allows embedding.
  crossOriginEmbedderPolicy: false,
  // Obsolete, or full of names that browsers warn about.
  permissionsPolicy: false,
  xssProtection: false,
};

export const handler = lambda({ storage, log }, createHandler);
