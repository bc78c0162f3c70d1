import * as z from 'zod';
import { UnavailableError, WarrenError } from '../base/errors.ts';
import type { BrokerAddress } from './address.ts';
import { askForToken, type Token } from './token.ts';

const answer = z.object({
  access_token: z.string().min(1),
  /** Seconds. RFC 6749 only recommends it; without it, the time of the renewal is unknown. */
  expires_in: z.coerce.number().positive(),
});

/**
 * Requests a token for the client that the URL names (client credentials, RFC 6749, 4.4).
 *
 * @param ms limit for the answer.
 * @throws WarrenError ERR_BROKER_REFUSED if the issuer refuses the client; UnavailableError if the issuer does not answer with a token.
 */
export async function clientToken(
  { username, password, parameters }: Pick<BrokerAddress, 'username' | 'password' | 'parameters'>,
  ms: number,
): Promise<Token> {
  const { tokenEndpoint = '', scope, audience } = parameters;
  const issuer = `the token endpoint at ${new URL(tokenEndpoint).host}`;
  const form = new URLSearchParams({ grant_type: 'client_credentials' });
  if (scope !== undefined) form.set('scope', scope);
  if (audience !== undefined) form.set('audience', audience);
  const headers = { authorization: basic(username, password), accept: 'application/json' };
  const request = new Request(tokenEndpoint, { method: 'POST', headers, body: form });
  const { status, text } = await askForToken(request, issuer, ms);
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

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
