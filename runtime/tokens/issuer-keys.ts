import { createRemoteJWKSet, type JWTVerifyGetKey } from 'jose';
import { createDiscovery } from './discovery.ts';

/**
 * The public keys of an issuer, fetched when the first token comes.
 *
 * @param keysUrl default the one that the issuer's discovery document names.
 * @returns throws UnavailableError if the discovery document cannot be fetched, and jose's errors for the keys.
 */
export function issuerKeys(issuer: string, keysUrl?: string): JWTVerifyGetKey {
  const keysAt = (url: string) => createRemoteJWKSet(new URL(url), { timeoutDuration: 3000 });
  if (keysUrl !== undefined) return keysAt(keysUrl);
  const discover = createDiscovery(issuer);
  let known: { url: string; keys: JWTVerifyGetKey } | undefined;
  return async (header, token) => {
    const { jwks_uri } = await discover();
    // One set for all tokens, because it keeps the keys.
    if (known?.url !== jwks_uri) known = { url: jwks_uri, keys: keysAt(jwks_uri) };
    return known.keys(header, token);
  };
}
