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

/**
 * Sends one request to the management API. Node's `fetch` has no options for TLS.
 *
 * @param tls options for the socket of an API with TLS.
 * @throws the error of the socket, or of the signal.
 */
export function sendManagement(
  { secure, host, port, path: base }: ManagementAddress,
  { method, path, body, authorization, signal }: ManagementRequest,
  tls: ConnectionOptions,
): Promise<{ status: number; body: string }> {
  const content = body === undefined ? [] : [['content-type', 'application/json']];
  const headers = { authorization, ...Object.fromEntries(content) } as Record<string, string>;
  const target = { host, port, path: `${base}/${path}`, method, headers, signal };
  return new Promise((resolve, reject) => {
    const answer = (response: IncomingMessage) => {
      text(response).then((read) => resolve({ status: response.statusCode ?? 0, body: read }), reject);
    };
    const request = secure ? httpsRequest({ ...target, ...tls }, answer) : httpRequest(target, answer);
    request.on('error', reject).end(body);
  });
}
