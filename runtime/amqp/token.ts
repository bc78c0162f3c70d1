import * as z from 'zod';
import { UnavailableError, WarrenError } from '../base/errors.ts';
import type { BrokerAddress } from './address.ts';

/** An access token, which the broker takes in place of a password. */
export interface Token {
  text: string;
  /** Milliseconds that it is valid from now on. */
  validMs: number;
}

const answer = z.object({
  access_token: z.string().min(1),
  /** Seconds. RFC 6749 only recommends it; without it, the time of the renewal is unknown. */
  expires_in: z.coerce.number().positive(),
});

/** A token has a few thousand characters; RabbitMQ's frames take 128 KiB. */
const maxBytes = 128 * 1024;

/**
 * Requests a token for the client that the URL names (client credentials, RFC 6749, 4.4).
 *
 * @throws WarrenError ERR_BROKER_REFUSED if the issuer refuses the client; UnavailableError if the issuer does not answer with a token.
 */
export async function requestToken(
  { username, password, parameters }: BrokerAddress,
  ms: number,
): Promise<Token> {
  const { tokenEndpoint = '', scope, audience } = parameters;
  const issuer = `the token endpoint at ${new URL(tokenEndpoint).host}`;
  const form = new URLSearchParams({ grant_type: 'client_credentials' });
  if (scope !== undefined) form.set('scope', scope);
  if (audience !== undefined) form.set('audience', audience);
  const response = await fetch(tokenEndpoint, {
    method: 'POST',
    headers: { authorization: basic(username, password), accept: 'application/json' },
    body: form,
    // The secret goes to no other address.
    redirect: 'manual',
    signal: AbortSignal.timeout(ms),
  }).catch((cause: unknown) => {
    throw new UnavailableError('broker', `${issuer} can't be reached`, { cause });
  });
  const { status } = response;
  const text = await bodyOf(response).catch((cause: unknown) => {
    throw new UnavailableError('broker', `${issuer} can't be read`, { cause });
  });
  // invalid_client, unauthorized_client, invalid_scope: another try has the same result.
  if (status === 400 || status === 401 || status === 403) {
    throw new WarrenError('ERR_BROKER_REFUSED', `${issuer} refused the client (${status})`);
  }
  const token = answer.safeParse(status === 200 ? parseJson(text) : undefined);
  if (!token.success) {
    const expected = 'expected 200 with access_token and expires_in';
    throw new UnavailableError('broker', `${issuer}: ${expected}, got ${status} with another content`);
  }
  return { text: token.data.access_token, validMs: token.data.expires_in * 1000 };
}

/** RFC 6749, 2.3.1: both parts are encoded as in a form first. */
function basic(id: string, secret: string): string {
  const encode = (text: string) => new URLSearchParams([['', text]]).toString().slice(1);
  return `Basic ${Buffer.from(`${encode(id)}:${encode(secret)}`).toString('base64')}`;
}

async function bodyOf({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw new RangeError(`expected at most ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
