import type { Storage } from '../storage/storage.ts';

/**
 * The content security policy of the page: it allows only our own files, the storage for pictures and large uploads, and the
 * issuer's address for tokens, if there is one.
 */
export async function pagePolicy(storage: Pick<Storage, 'url' | 'putUrl'>, tokens?: string): Promise<string> {
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
    [
      "connect-src 'self'",
      ...[write, ...(tokens === undefined ? [] : [tokens])].map((url) => new URL(url).origin),
    ].join(' '),
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');
}
