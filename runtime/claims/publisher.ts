import { createHash, randomUUID } from 'node:crypto';
import { copyMark } from '../amqp/copy-mark.ts';
import { claimHeader } from '../amqp/headers.ts';
import { encode, type OutgoingMessage } from '../amqp/outgoing.ts';
import type { PublisherLike } from '../amqp/publisher.ts';
import { checkNumbers } from '../base/numbers.ts';
import { isClaim } from './open.ts';
import { type Claim, type ClaimStore, claimVersion } from './store.ts';

export interface ClaimOptions {
  claims: ClaimStore;
  /** Size of a body in bytes above which it is stored, default 256 KiB. */
  aboveBytes?: number | undefined;
}

/**
 * A publisher that stores large bodies, and publishes a claim in their place. A function reads such a message with the option
 * `claims` of `onMessages` and `onBatch`. The body is stored before the message is published. A message that cannot be published
 * leaves its body behind, until it is removed by age.
 *
 * @returns the publisher; its `publish` also throws the errors of `ClaimStore.put`.
 * @throws WarrenError ERR_CONFIG if `aboveBytes` is wrong.
 */
export function withClaims(publisher: PublisherLike, options: ClaimOptions): PublisherLike {
  checkNumbers(options, { aboveBytes: { least: 0, whole: true, unlimited: true } });
  return {
    publish: async (message) => publisher.publish(await claimed(message, options)),
    inVhost: (vhost) => withClaims(publisher.inVhost?.(vhost) ?? publisher, options),
  };
}

async function claimed(
  message: OutgoingMessage,
  { claims, aboveBytes = 256 * 1024 }: ClaimOptions,
): Promise<OutgoingMessage> {
  // The copy of a failed message is what its queue had, and a claim that is passed on is one.
  if (message.table || message[copyMark] || isClaim(message.body)) return message;
  const content = encode(message);
  if (content.length <= aboveBytes) return { ...message, ...encoded(message, content) };
  const now = new Date().toISOString();
  const claim: Claim = {
    // The day first, because bodies are removed by age, in the order of their keys.
    claim: `${now.slice(0, 10)}/${randomUUID()}`,
    bytes: content.length,
    sha256: createHash('sha256').update(content).digest('hex'),
  };
  await claims.put(claim.claim, content);
  return {
    ...message,
    ...encoded(message, Buffer.from(JSON.stringify(claim))),
    headers: { ...message.headers, [claimHeader]: claimVersion },
  };
}

/** The body in bytes, with the content type that the publisher would give the value. */
function encoded({ body, contentType }: OutgoingMessage, content: Buffer) {
  return {
    body: content,
    contentType: contentType ?? (Buffer.isBuffer(body) ? undefined : 'application/json'),
  };
}
