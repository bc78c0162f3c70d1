import { createHash } from 'node:crypto';
import type { HttpEvent, HttpReply } from './function.ts';

const types: Record<string, string> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
};

/**
 * Returns a file of a page: in full, or as 304 if the browser has the same version (RFC 9110, 13.1.2). The browser
 * revalidates it each time, so that a deployment never mixes old and new files.
 *
 * @param name file name, whose extension determines the type.
 */
export function fileReply(event: HttpEvent, { name, body }: { name: string; body: string }): HttpReply {
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
  const headers = {
    'content-type': types[name.split('.').pop() ?? ''] ?? 'application/octet-stream',
    'cache-control': 'no-cache',
    etag,
  };
  if (event.headers['if-none-match']?.includes(etag)) return { statusCode: 304, headers };
  return { statusCode: 200, headers, body };
}
