import { createHash } from 'node:crypto';
import { claimHeader } from '../amqp/headers.ts';
import { RejectedError } from '../base/errors.ts';
import type { Claim, ClaimStore } from './store.ts';

/** The parts of a message with a claim. */
interface Claimed {
  content: Buffer;
  headers: Readonly<Record<string, unknown>>;
}

/** No other text, because a claim of a stranger must not name another object of the bucket. */
const key = /^\d{4}-\d\d-\d\d\/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * Returns the body of a message: from storage if the message has a claim, else as it came.
 *
 * @param maxBytes limit of the body.
 * @throws RejectedError if the body is missing in storage, differs from what was published, is larger, or if the function has no
 *   store; the errors of `ClaimStore.get`.
 */
export function claimedBody(
  { content, headers }: Claimed,
  claims: ClaimStore | undefined,
  maxBytes: number,
): Buffer | Promise<Buffer> {
  return headers[claimHeader] === undefined ? content : storedBody(content, claims, maxBytes);
}

async function storedBody(
  content: Buffer,
  claims: ClaimStore | undefined,
  maxBytes: number,
): Promise<Buffer> {
  const { claim, bytes, sha256 } = readClaim(content);
  if (!claims) {
    throw new RejectedError(
      `body: the message has a claim to ${bytes} bytes in storage, and the function has no option \`claims\` to read them`,
    );
  }
  if (bytes > maxBytes) throw new RejectedError(`body: expected at most ${maxBytes} bytes, got ${bytes}`);
  const body = await claims.get(claim, maxBytes);
  if (!body) {
    throw new RejectedError(
      `body: expected ${bytes} bytes in storage under "${claim}", got none: they are removed by age`,
    );
  }
  if (body.length !== bytes || createHash('sha256').update(body).digest('hex') !== sha256) {
    throw new RejectedError(
      `body: expected the ${bytes} published bytes in storage under "${claim}", got ${body.length} other bytes`,
    );
  }
  return body;
}

/** A claim has about 200. */
const maxClaimBytes = 1024;

/** Whether a body consists of the bytes of a claim. */
export function isClaim(body: unknown): boolean {
  return Buffer.isBuffer(body) && claimIn(body) !== undefined;
}

function claimIn(content: Buffer): Claim | undefined {
  if (content.length > maxClaimBytes) return undefined;
  try {
    const claim = JSON.parse(content.toString()) as Claim | null;
    return claim && key.test(claim.claim) && Number.isSafeInteger(claim.bytes) ? claim : undefined;
  } catch {
    return undefined;
  }
}

function readClaim(content: Buffer): Claim {
  const claim = claimIn(content);
  if (claim) return claim;
  throw new RejectedError(
    `body: expected a claim because of the header ${claimHeader}, got ${content.length} other bytes`,
  );
}
