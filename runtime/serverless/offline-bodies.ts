import { subscribe } from 'node:diagnostics_channel';
import type { IncomingMessage } from 'node:http';

/** serverless-offline passes a body in base64 if its content type contains this text. */
const binary = 'application/octet-stream';

/**
 * Lets serverless-offline pass bodies that are not UTF-8 to functions in base64, as `warren serve` does. By itself it does so only for
 * forms, and turns every other byte that is not UTF-8 into U+FFFD: JSON in UTF-16 or an image would arrive damaged.
 */
export function keepBytes(): void {
  subscribe('http.server.request.start', (message) =>
    watch((message as { request: IncomingMessage }).request),
  );
}

/** Looks at the body of a request on its way to the server. The event has the headers as they came (`rawHeaders`). */
export function watch(request: IncomingMessage): void {
  const { push } = request;
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let isText = true;
  request.push = (chunk: Buffer | null, encoding) => {
    try {
      if (isText) decoder.decode(chunk ?? undefined, { stream: chunk !== null });
    } catch {
      isText = false;
      request.headers['content-type'] = [request.headers['content-type'] ?? [], binary].flat().join('; ');
    }
    return push.call(request, chunk, encoding);
  };
}
