import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { checkNumbers } from '../base/numbers.ts';
import { Problem } from './problem.ts';

/** Bytes of a body that a function takes if it sets no limit. */
export const defaultBodyBytes = 64 * 1024;

/** A function that has a limit for bodies. Hosts read it from the exported handler, before they read a body. */
export interface BodyLimited {
  /** Bytes of a body; a function returns what depends on the environment. Default 65536 (64 KiB). */
  readonly maxBytes?: number | (() => number) | undefined;
}

/**
 * The limit of an exported handler in bytes.
 *
 * @throws WarrenError ERR_CONFIG if it is no number of bytes: with NaN, a body of any size would be taken.
 */
export function bodyLimitOf({ maxBytes = defaultBodyBytes }: BodyLimited): number {
  const bytes = typeof maxBytes === 'function' ? maxBytes() : maxBytes;
  checkNumbers({ maxBytes: bytes }, { maxBytes: { least: 0, whole: true, unlimited: true } });
  return bytes;
}

/**
 * Refuses a body above the limit. It is measured in the event as it came, so that a large body is neither decoded nor parsed.
 *
 * @throws Problem 413.
 */
export function refuseLargeBody(
  {
    body,
    isBase64Encoded,
  }: Pick<APIGatewayProxyEventV2, 'isBase64Encoded'> & { body?: string | null | undefined },
  maxBytes: number,
): void {
  // Without a body, serverless-offline has null.
  const bytes = Buffer.byteLength(body ?? '', isBase64Encoded ? 'base64' : 'utf8');
  if (bytes > maxBytes) throw tooLarge(maxBytes, bytes);
}

/** The answer to a body above the limit. `bytes` is undefined if the rest of the body was not read. */
export function tooLarge(maxBytes: number, bytes: number | undefined): Problem {
  return new Problem(413, 'Too large', `body: expected at most ${maxBytes} bytes, got ${bytes ?? 'more'}`);
}
