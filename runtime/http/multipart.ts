import { Busboy, type BusboyHeaders } from '@fastify/busboy';
import { bodyBytes } from './body.ts';
import type { HttpEvent } from './function.ts';
import { Problem } from './problem.ts';

/** A file of a form. */
export interface UploadedFile {
  field: string;
  content: Buffer;
  /** Whether the file exceeds the limit; `content` then ends at the limit. */
  truncated: boolean;
}

/**
 * Reads the files of a body in multipart/form-data (RFC 7578); plain fields are ignored.
 *
 * @param limits `fileSize` in bytes, and the maximum number of `files`. A part named `field` is a file also if it has no file name,
 *   as some clients send it.
 * @throws Problem 415 for another content type, 400 if the form is malformed.
 */
export async function readFiles(
  event: HttpEvent,
  { field: wanted, ...limits }: { fileSize: number; files: number; field?: string },
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
        isPartAFile: (field, type, fileName) =>
          fileName !== undefined || field === wanted || type === 'application/octet-stream',
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
      form.end(bodyBytes(event));
    });
  } catch {
    throw new Problem(400, 'Malformed request', 'body: expected a form in multipart/form-data (RFC 7578)');
  }
  return files;
}
