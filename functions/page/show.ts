/**
 * Triggered by `GET /` and `GET /page/{file}`: serves the page, and the files it is made of. Anyone may have them: what
 * the page shows, it asks for with the token of whoever signed in. Reads only.
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
    // Read from where Lambda and serverless-offline run a function: the artifact's folder, or the project's.
    if (!(await readdir(folder)).includes(name)) {
      throw new Problem(404, 'No such file', `file: the page has no "${name}"`);
    }
    const reply = fileReply(event, { name, body: await readFile(`${folder}/${name}`, 'utf8') });
    const policy = name === 'index.html' && { 'content-security-policy': await securityPolicy(storage) };
    return { ...reply, headers: { ...reply.headers, ...policy } };
  });
}

/** Nothing but our own files, and the storage: pictures come from there, and large uploads go there. */
async function securityPolicy(storage: Deps['storage']): Promise<string> {
  // AWS's own storage has an origin for each bucket.
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

/** What differs from an API's answers. */
const security: PageSecurity = {
  contentSecurityPolicy: false,
  // The storage would have to say that its pictures may be embedded.
  crossOriginEmbedderPolicy: false,
  // Obsolete, or full of names that browsers complain about.
  permissionsPolicy: false,
  xssProtection: false,
};

export const handler = lambda({ storage, log }, createHandler);
