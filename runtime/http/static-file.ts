import { createHash } from 'node:crypto';
import type { HttpEvent, HttpReply } from './function.ts';

const types: Record<string, string> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
};

/**
 * Answers with a file of a page: in full, or with 304 where the browser has it already (RFC 9110, 13.1.2). It is asked
 * for anew each time, so that after a deployment no file meets an older one.
 *
 * @param name its ending says the type.
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
