/**
 * Triggered by `GET /` and `GET /page/{file}`: serves the page, its files, and as `sign-in.json` the issuer at which it signs in. They
 * are public, because the page requests its data with the token of the signed-in user. Reads only.
 */

import { readdir, readFile } from 'node:fs/promises';
import { type Log, lambda, log } from 'warren/functions';
import { fileReply, json, type PageSecurity, Problem, publicFunction } from 'warren/http';
import { type FindPageSignIn, pageSignIn } from '../../shared/auth/page-sign-in.ts';
import { pagePolicy } from '../../shared/page/policy.ts';
import { storage } from '../../shared/storage/resource.ts';
import type { Storage } from '../../shared/storage/storage.ts';

const folder = 'functions/page/files';

interface Deps {
  storage: Pick<Storage, 'url' | 'putUrl'>;
  /** The issuer at which the page signs in; default none. */
  signIn?: FindPageSignIn;
  log?: Log;
}

export function createHandler({ storage, signIn = async () => undefined, log }: Deps) {
  return publicFunction({ log, security }, async (event) => {
    const name = event.pathParameters?.['file'] ?? 'index.html';
    if (name === 'sign-in.json') return json(200, { issuer: (await signIn()) ?? null });
    // Relative to the working directory of Lambda (the artifact's folder) or serverless-offline (the project's).
    if (!(await readdir(folder)).includes(name)) {
      throw new Problem(404, 'No such file', `file: the page has no "${name}"`);
    }
    const reply = fileReply(event, { name, body: await readFile(`${folder}/${name}`, 'utf8') });
    if (name !== 'index.html') return reply;
    // While the issuer is unavailable, the page is served and shows that.
    const issuer = await signIn().catch(() => undefined);
    const policy = await pagePolicy(storage, issuer?.token_endpoint);
    return { ...reply, headers: { ...reply.headers, 'content-security-policy': policy } };
  });
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

export const handler = lambda({ storage, signIn: pageSignIn, log }, createHandler);
