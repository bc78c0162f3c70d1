/**
 * The header Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): a request that is sent again with the same key
 * gets the same answer, and is worked on once. Keys are a user's own and kept for a day.
 */

import { createHash, randomUUID } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import { type HttpEvent, type HttpReply, Problem } from 'warren/http';
import type { User } from '../auth/tokens.ts';
import type { Database } from '../database/schema.ts';

/** Hours after which a key is deleted. */
const retentionHours = 24;

/** How long a request may take, in seconds; then one with the same key may be tried anew. Functions end before. */
const leaseSeconds = 40;

export interface IdempotentRequest {
  db: Kysely<Database>;
  event: HttpEvent;
  user: User;
  /** The content that makes it another request, besides route and user; a form has a new boundary each time it is sent. */
  content: Buffer | string;
}

/** Ids reserved for a request: the same for each try of it, and never those of another request. */
export interface KeptIds {
  /** From the sequence of the pictures. */
  pictureId: number;
  requestId: string;
}

/**
 * Handles a request unless it was handled before. Only successful answers are kept: after any other, nothing has happened, and
 * the same key may be tried again.
 *
 * @param handle gets the reserved ids; undefined if the request has no key.
 * @throws Problem 400 for a malformed key, 409 while another request with it is in flight, 422 if it came with another request
 *   before; and the errors of `handle`.
 */
export async function once(
  request: IdempotentRequest,
  handle: (kept: KeptIds | undefined) => Promise<HttpReply>,
): Promise<HttpReply> {
  const key = readKey(request.event);
  if (key === undefined) return handle(undefined);
  const claim = await claimKey(request, key);
  if ('reply' in claim) return claim.reply;
  const { db, user } = request;
  const claimed = { user_id: user.id, key, claim: claim.id };
  try {
    const reply = await handle(claim);
    const done = (reply.statusCode ?? 200) < 300;
    if (done) await keep(db, claimed, reply);
    else await release(db, claimed);
    return reply;
  } catch (error) {
    // If this fails too, the claim runs out by itself.
    await release(db, claimed).catch(() => undefined);
    throw error;
  }
}

/** A string of RFC 8941 in quotes, as the draft has it, or without, as most clients send it. */
function readKey({ headers }: HttpEvent): string | undefined {
  const header = headers['idempotency-key'];
  if (header === undefined) return undefined;
  const key = /^"?([\x21\x23-\x7e]{1,255}?)"?$/.exec(header.trim())?.[1];
  if (key !== undefined) return key;
  throw new Problem(
    400,
    'Malformed request',
    'idempotency-key: expected 1 to 255 visible characters, such as a UUID',
  );
}

type Claim = { reply: HttpReply } | ({ id: string } & KeptIds);

async function claimKey({ db, event, user, content }: IdempotentRequest, key: string): Promise<Claim> {
  const id = randomUUID();
  const request = fingerprint(event, content);
  const lease = { claim: id, claimed_until: sql<Date>`now() + ${leaseSeconds} * interval '1 second'` };
  const expired = sql<boolean>`idempotency_keys.created_at < now() - ${retentionHours} * interval '1 hour'`;
  await db
    .deleteFrom('idempotency_keys')
    .where('user_id', '=', user.id)
    .where('key', '=', key)
    .where(expired)
    .execute();
  const claimed = await db
    .insertInto('idempotency_keys')
    .values({ user_id: user.id, key, request, reply: null, ...lease })
    .onConflict((conflict) =>
      conflict
        .columns(['user_id', 'key'])
        .doUpdateSet(lease)
        .where('idempotency_keys.request', '=', request)
        .where('idempotency_keys.reply', 'is', null)
        .where('idempotency_keys.claimed_until', '<=', sql<Date>`now()`),
    )
    .returning(['picture_id', 'request_id'])
    .executeTakeFirst();
  if (claimed) return { id, pictureId: claimed.picture_id, requestId: claimed.request_id };
  const known = await db
    .selectFrom('idempotency_keys')
    .select(['request', 'reply'])
    .where('user_id', '=', user.id)
    .where('key', '=', key)
    .executeTakeFirst();
  if (known && known.request !== request) {
    throw new Problem(422, 'The request can not be served', 'idempotency-key: it came with another request');
  }
  if (known?.reply) return { reply: known.reply as HttpReply };
  throw new Problem(409, 'Still in progress', 'idempotency-key: a request with this key is under way', {
    'retry-after': '1',
  });
}

function fingerprint({ requestContext, rawPath }: HttpEvent, content: Buffer | string): string {
  const route = `${requestContext.http.method} ${rawPath}\n`;
  return createHash('sha256').update(route).update(content).digest('hex');
}

type Claimed = { user_id: number; key: string; claim: string };

async function keep(db: Kysely<Database>, { user_id, key, claim }: Claimed, reply: HttpReply): Promise<void> {
  await db
    .updateTable('idempotency_keys')
    .set({ reply: JSON.stringify(reply) })
    .where('user_id', '=', user_id)
    .where('key', '=', key)
    .where('claim', '=', claim)
    .execute();
}

async function release(db: Kysely<Database>, { user_id, key, claim }: Claimed): Promise<void> {
  await db
    .updateTable('idempotency_keys')
    .set({ claimed_until: sql<Date>`now()` })
    .where('user_id', '=', user_id)
    .where('key', '=', key)
    .where('claim', '=', claim)
    .execute();
}

/** Deletes keys after their retention time. */
export async function deleteOldKeys(db: Kysely<Database>): Promise<void> {
  await db
    .deleteFrom('idempotency_keys')
    .where('created_at', '<', sql<Date>`now() - ${retentionHours} * interval '1 hour'`)
    .execute();
}
