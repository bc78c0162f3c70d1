import type { FastifyInstance } from 'fastify';
import type { PageFiles } from './page-files.ts';

/**
 * The policy of the page (CSP Level 3): its own files only, and requests to the board and to the token issuer.
 *
 * @param origins of the issuer.
 */
export const pagePolicy = (origins: readonly string[]): string =>
  [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data: blob:",
    "font-src 'self'",
    ["connect-src 'self'", ...origins].join(' '),
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');

/**
 * Adds the page and its files, which need no token.
 *
 * @param origins of the issuer, to which the page sends requests when it signs in. It does not throw.
 */
export function addPageRoutes(
  app: FastifyInstance,
  files: PageFiles,
  origins: () => Promise<readonly string[]>,
): void {
  for (const [path, { type, body, gzipped, isHashed }] of files) {
    app.get(path, { config: { isOpen: true } }, async ({ headers }, reply) => {
      const takesGzip = /\bgzip\b/.test(String(headers['accept-encoding'] ?? ''));
      reply.headers({
        'content-type': type,
        'content-security-policy': pagePolicy(await origins()),
        'cache-control': isHashed ? 'public, max-age=31536000, immutable' : 'no-cache',
        vary: 'accept-encoding',
      });
      if (!gzipped || !takesGzip) return reply.send(body);
      return reply.header('content-encoding', 'gzip').send(gzipped);
    });
  }
}
