import type { Context } from 'aws-lambda';
import type { HttpEvent } from '../../runtime/http/function.ts';
import type { RabbitMQEvent } from '../../runtime/messages/event.ts';
import { rabbitMQEvent, type TestMessage } from '../../runtime/messages/test-event.ts';

/** The event for one message of a queue; a Buffer goes in as it is, and like anything else passes for JSON. */
export function messageEvent(
  queue: string,
  body: unknown,
  settings: Omit<TestMessage, 'queue' | 'body'> = {},
): RabbitMQEvent {
  return rabbitMQEvent([{ queue, body, contentType: 'application/json', ...settings }]);
}

interface RequestSettings {
  authorization?: string;
  /** An object goes in as JSON. */
  body?: unknown;
  contentType?: string;
  parameters?: Record<string, string>;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  method?: string;
  path?: string;
}

/** The event of an HTTP API, payload format 2.0. */
export function httpEvent(settings: RequestSettings = {}): HttpEvent {
  const { authorization, body, contentType = 'application/json', parameters, query } = settings;
  const { method = 'GET', path = '/test' } = settings;
  const binary = Buffer.isBuffer(body);
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return {
    version: '2.0',
    routeKey: 'ANY /test',
    rawPath: path,
    rawQueryString: '',
    headers: {
      ...(authorization !== undefined && { authorization }),
      ...(body !== undefined && { 'content-type': contentType }),
      ...settings.headers,
    },
    requestContext: { http: { method, path } },
    ...(query && { queryStringParameters: query }),
    ...(parameters && { pathParameters: parameters }),
    ...(body !== undefined && { body: binary ? body.toString('base64') : text }),
    isBase64Encoded: binary,
  } as HttpEvent;
}

/** Nothing here reads the context. */
export const context = {} as Context;

interface Part {
  field?: string;
  filename?: string;
  content: Buffer;
}

/** A form in multipart/form-data (RFC 7578), and its content type. */
export function form(parts: readonly Part[], boundary = 'a-boundary'): { body: Buffer; contentType: string } {
  const chunks = parts.flatMap(({ field = 'picture', filename = 'picture.jpg', content }) => [
    Buffer.from(
      `--${boundary}\r\ncontent-disposition: form-data; name="${field}"; filename="${filename}"\r\n`,
    ),
    Buffer.from('content-type: application/octet-stream\r\n\r\n'),
    content,
    Buffer.from('\r\n'),
  ]);
  return {
    body: Buffer.concat([...chunks, Buffer.from(`--${boundary}--\r\n`)]),
    contentType: `multipart/form-data; boundary=${boundary}`,
  };
}
