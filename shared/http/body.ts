import { Busboy, type BusboyHeaders } from '@fastify/busboy';
import type { z } from 'zod';
import { problemsOf } from '../problems.ts';
import type { HttpEvent } from './function.ts';
import { Problem } from './problem.ts';

/** A file of a form. */
export interface UploadedFile {
  field: string;
  content: Buffer;
  /** It was longer than the limit, and `content` ends there. */
  truncated: boolean;
}

/**
 * Reads a body in JSON.
 *
 * @throws Problem 415 for another content type, 400 where it isn't JSON, 422 where its shape is wrong.
 */
export function readJson<Body>(event: HttpEvent, schema: z.ZodType<Body>): Body {
  const type = event.headers['content-type'];
  if (!/^application\/([\w.-]+\+)?json\s*(;|$)/i.test(type ?? '')) {
    throw new Problem(415, 'Unsupported media type', `content-type: expected application/json, got ${type}`);
  }
  const result = schema.safeParse(parse(bytes(event)));
  if (result.success) return result.data;
  throw new Problem(422, 'The request can not be served', problemsOf(result.error, 'body').join('; '));
}

/**
 * Reads the parameters of a query.
 *
 * @throws Problem 422 where one is wrong.
 */
export function readQuery<Query>(event: HttpEvent, schema: z.ZodType<Query>): Query {
  const result = schema.safeParse(event.queryStringParameters ?? {});
  if (result.success) return result.data;
  throw new Problem(422, 'The request can not be served', problemsOf(result.error, 'query').join('; '));
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw new Problem(400, 'Malformed request', 'body: expected JSON in UTF-8');
  }
}

/**
 * Reads the files of a body in multipart/form-data (RFC 7578); plain fields are ignored.
 *
 * @param limits `fileSize` in bytes, and how many `files` to read.
 * @throws Problem 415 for another content type, 400 where the form is malformed.
 */
export async function readFiles(
  event: HttpEvent,
  limits: { fileSize: number; files: number },
): Promise<UploadedFile[]> {
  const type = event.headers['content-type'] ?? '';
  if (!/^multipart\/form-data\s*(;|$)/i.test(type)) {
    throw new Problem(
      415,
      'Unsupported media type',
      `content-type: expected multipart/form-data, got ${type}`,
    );
  }
  const files: UploadedFile[] = [];
  try {
    await new Promise<void>((resolve, reject) => {
      const form = new Busboy({
        headers: { 'content-type': type } as BusboyHeaders,
        limits: { ...limits, fields: 10, fieldSize: 1000, parts: 20, headerPairs: 20 },
      });
      form.on('file', (field, stream) => {
        const chunks: Buffer[] = [];
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.on('error', reject);
        stream.on('end', () => {
          files.push({ field, content: Buffer.concat(chunks), truncated: stream.truncated });
        });
      });
      form.on('finish', resolve);
      form.on('error', reject);
      form.end(bytes(event));
    });
  } catch {
    throw new Problem(400, 'Malformed request', 'body: expected a form in multipart/form-data (RFC 7578)');
  }
  return files;
}

function bytes({ body = '', isBase64Encoded }: HttpEvent): Buffer {
  return Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8');
}
