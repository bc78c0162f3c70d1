// The sign-in at a token issuer: the code flow with PKCE (RFC 7636), without a secret.
const place = 'warren-issuer';

const encode = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
const random = () => encode(crypto.getRandomValues(new Uint8Array(32)));
const ownAddress = () => location.origin + location.pathname;

/** Leads to the issuer, which leads back to this page. */
export async function startSignIn({ authorization_endpoint, client_id, scope, parameters }) {
  const [state, nonce, verifier] = [random(), random(), random()];
  sessionStorage.setItem(place, JSON.stringify({ state, nonce, verifier }));
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier));
  const query = {
    ...parameters,
    response_type: 'code',
    client_id,
    redirect_uri: ownAddress(),
    scope,
    state,
    nonce,
    code_challenge: encode(digest),
    code_challenge_method: 'S256',
  };
  const address = new URL(authorization_endpoint);
  for (const [name, value] of Object.entries(query)) address.searchParams.set(name, value);
  location.assign(address);
}

/** Whether the issuer has led back to this page. */
export const isBack = () => new URLSearchParams(location.search).has('state');

/**
 * Exchanges the code in the address for a token and the user's name.
 *
 * @throws Error if the issuer refused, or another tab started the sign-in.
 */
export async function completeSignIn({ issuer, token_endpoint, client_id }) {
  const answer = new URLSearchParams(location.search);
  history.replaceState(null, '', location.pathname);
  const { state, nonce, verifier } = JSON.parse(sessionStorage.getItem(place) ?? '{}');
  sessionStorage.removeItem(place);
  // RFC 9207: an answer that names another issuer is a mix-up.
  if (!state || answer.get('state') !== state || (answer.get('iss') ?? issuer) !== issuer) {
    throw new Error('This tab has not asked for that sign-in. Please sign in again.');
  }
  const code = answer.get('code');
  if (!code) throw new Error(`The issuer did not sign you in (${answer.get('error') ?? 'no code'}).`);
  const reply = await fetch(token_endpoint, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code,
      redirect_uri: ownAddress(),
      client_id,
      code_verifier: verifier,
    }),
  }).catch(() => undefined);
  const { access_token, id_token } = (await reply?.json().catch(() => undefined)) ?? {};
  if (!reply?.ok || !access_token) throw new Error('The issuer did not give a token. Please sign in again.');
  const claims = id_token ? claimsOf(id_token) : {};
  if (
    id_token &&
    (claims.iss !== issuer || claims.nonce !== nonce || ![claims.aud].flat().includes(client_id))
  ) {
    throw new Error('The issuer gave a token for something else. Please sign in again.');
  }
  return { token: access_token, name: claims.name ?? claims.preferred_username ?? claims.email ?? 'you' };
}

/** The claims of an ID token. It came from the issuer itself, so that its signature proves nothing more. */
function claimsOf(token) {
  const [, payload = ''] = token.split('.');
  const text = atob(payload.replaceAll('-', '+').replaceAll('_', '/'));
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(text, (each) => each.charCodeAt(0))));
}
