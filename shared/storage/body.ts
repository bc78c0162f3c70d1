import { addAbortSignal, Readable } from 'node:stream';
import type { GetObjectCommandOutput } from '@aws-sdk/client-s3';

/**
 * Reads the body of an object up to a limit, also without a content-length.
 *
 * @param limit maximum number of bytes.
 * @param signal ends the reading with its connection.
 * @returns for a larger body only the number of bytes that are known of it.
 */
export async function readUpTo(
  limit: number,
  { Body, ContentLength = 0 }: GetObjectCommandOutput,
  signal: AbortSignal,
): Promise<{ bytes: number; body?: Buffer }> {
  const stream = (Body ?? Readable.from([])) as Readable;
  if (ContentLength > limit) {
    stream.destroy();
    return { bytes: ContentLength };
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of addAbortSignal(signal, stream) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    // Leaving the loop closes the stream.
    if (bytes > limit) return { bytes };
    chunks.push(chunk);
  }
  return { bytes, body: Buffer.concat(chunks) };
}
