// The sign-in at a token issuer: OpenID Connect's code flow with PKCE (RFC 7636), without a secret.
import type { SignIn } from '../api-types.ts';

const place = 'warren-board-sign-in';

interface Metadata {
  issuer: string;
  authorization_endpoint: string;
  token_endpoint: string;
  end_session_endpoint?: string;
}

interface Started {
  state: string;
  nonce: string;
  verifier: string;
  /** The view to which the page returns. */
  hash: string;
}

const encode = (bytes: ArrayBuffer | Uint8Array): string =>
  btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
const random = (): string => encode(crypto.getRandomValues(new Uint8Array(32)));
const ownAddress = (): string => location.origin + location.pathname;

/**
 * Leads to the issuer, which leads back to this page.
 *
 * @param isAnew whether the issuer has to ask for the user, although it may still know the last one.
 * @throws Error if the issuer does not answer.
 */
export async function startSignIn(
  { authority, client_id, scope, parameters }: SignIn,
  isAnew: boolean,
): Promise<void> {
  const { authorization_endpoint } = await metadataOf(authority);
  const started: Started = { state: random(), nonce: random(), verifier: random(), hash: location.hash };
  sessionStorage.setItem(place, JSON.stringify(started));
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(started.verifier));
  const address = new URL(authorization_endpoint);
  const query = {
    ...parameters,
    ...(isAnew && { prompt: 'login' }),
    response_type: 'code',
    client_id,
    redirect_uri: ownAddress(),
    scope,
    state: started.state,
    nonce: started.nonce,
    code_challenge: encode(digest),
    code_challenge_method: 'S256',
  };
  for (const [name, value] of Object.entries(query)) address.searchParams.set(name, value);
  location.assign(address);
}

/** Whether the issuer has led back to this page. */
export const isBack = (): boolean => new URLSearchParams(location.search).has('state');

/**
 * Exchanges the code in the address for a token.
 *
 * @throws Error if the issuer refused, or another tab started the sign-in.
 */
export async function completeSignIn({ authority, client_id, parameters }: SignIn): Promise<string> {
  const answer = new URLSearchParams(location.search);
  const text = sessionStorage.getItem(place);
  const started = (text === null ? {} : JSON.parse(text)) as Partial<Started>;
  sessionStorage.removeItem(place);
  history.replaceState(null, '', location.pathname + (started.hash ?? ''));
  // The page follows the address by this event, which a replaced state does not send.
  dispatchEvent(new HashChangeEvent('hashchange'));
  const { issuer, token_endpoint } = await metadataOf(authority);
  // RFC 9207: an answer that names another issuer is a mix-up.
  const isOwn = started.state !== undefined && answer.get('state') === started.state;
  if (!isOwn || (answer.get('iss') ?? issuer) !== issuer) {
    throw new Error('This tab has not asked for that sign-in. Please sign in again.');
  }
  const code = answer.get('code');
  if (!code) throw new Error(`The issuer did not sign you in (${answer.get('error') ?? 'no code'}).`);
  const body = new URLSearchParams({
    ...resourceOf(parameters),
    grant_type: 'authorization_code',
    code,
    redirect_uri: ownAddress(),
    client_id,
    code_verifier: started.verifier ?? '',
  });
  const reply = await fetch(token_endpoint, { method: 'POST', body }).catch(() => undefined);
  const tokens = ((await reply?.json().catch(() => undefined)) ?? {}) as Record<string, string | undefined>;
  const { access_token: accessToken, id_token: idToken } = tokens;
  if (!reply?.ok || !accessToken) throw new Error('The issuer did not give a token. Please sign in again.');
  if (idToken !== undefined) {
    const { iss, nonce, aud } = claimsOf(idToken);
    if (iss !== issuer || nonce !== started.nonce || ![aud].flat().includes(client_id)) {
      throw new Error('The issuer gave a token for something else. Please sign in again.');
    }
  }
  return accessToken;
}

/**
 * Returns the address at which the issuer forgets the user (OpenID Connect RP-Initiated Logout), undefined if it has none or does not
 * answer.
 */
export async function issuerSignOut({ authority, client_id }: SignIn): Promise<string | undefined> {
  const { end_session_endpoint: endpoint } = await metadataOf(authority).catch(() => ({
    end_session_endpoint: undefined,
  }));
  if (endpoint === undefined) return undefined;
  const address = new URL(endpoint);
  address.searchParams.set('client_id', client_id);
  return address.href;
}

/** The resource of RFC 8707, which the token request has to repeat. */
const resourceOf = ({ resource }: SignIn['parameters']) => (resource === undefined ? {} : { resource });

async function metadataOf(authority: string): Promise<Metadata> {
  const address = `${authority.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const reply = await fetch(address).catch(() => undefined);
  if (!reply?.ok) throw new Error(`The issuer ${new URL(authority).host} does not answer. Try again later.`);
  return (await reply.json()) as Metadata;
}

/** The claims of an ID token. It came from the issuer itself, so that its signature proves nothing more. */
function claimsOf(token: string): Record<string, unknown> {
  const [, payload = ''] = token.split('.');
  const text = atob(payload.replaceAll('-', '+').replaceAll('_', '/'));
  const bytes = Uint8Array.from(text, (each) => each.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
}
