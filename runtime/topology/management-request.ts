import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { text } from 'node:stream/consumers';
import type { ConnectionOptions } from 'node:tls';
import type { ManagementAddress } from '../amqp/management-url.ts';

export interface ManagementRequest {
  method: string;
  /** Path behind `/api/`, with its query. */
  path: string;
  body: string | undefined;
  authorization: string;
  signal: AbortSignal;
}

/** Errors of a request on a connection that has ended. */
const ended: ReadonlySet<string | undefined> = new Set(['ECONNRESET', 'EPIPE']);

/**
 * Sends one request to the management API. Node's `fetch` has no options for TLS. RabbitMQ closes a kept connection after five
 * seconds without a request, and so does Node. A request that meets the end of one is sent again, which does no harm, because each
 * method here may be repeated.
 *
 * @param options options for the socket of an API with TLS.
 * @throws the error of the socket, or of the signal.
 */
export function sendManagement(
  address: ManagementAddress,
  sent: ManagementRequest,
  options: ConnectionOptions & { agent?: false },
): Promise<{ status: number; body: string }> {
  const { secure, host, port, path: base } = address;
  const { method, path, body, authorization, signal } = sent;
  const content = body === undefined ? [] : [['content-type', 'application/json']];
  const headers = { authorization, ...Object.fromEntries(content) } as Record<string, string>;
  const target = { host, port, path: `${base}/${path}`, method, headers, signal, ...options };
  return new Promise((resolve, reject) => {
    const answer = (response: IncomingMessage) => {
      text(response).then((read) => resolve({ status: response.statusCode ?? 0, body: read }), reject);
    };
    const request = secure ? httpsRequest(target, answer) : httpRequest(target, answer);
    request.on('error', (error: NodeJS.ErrnoException) => {
      if (!request.reusedSocket || !ended.has(error.code)) return reject(error);
      // On a connection of its own, because the next kept one may have ended too.
      resolve(sendManagement(address, sent, { ...options, agent: false }));
    });
    request.end(body);
  });
}
