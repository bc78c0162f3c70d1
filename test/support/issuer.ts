import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, type JWTPayload, SignJWT } from 'jose';

/** A token issuer on this machine, with one key pair and any number of issuer names below its address. */
export interface Issuer {
  /** Name of an issuer: the address and a path, such as `/realms/warren`. */
  at(path: string): string;
  /** Address of the public keys. */
  keysUrl: string;
  /** Signs the claims as they are, with the issuer's key or another one. */
  sign(claims: JWTPayload, options?: { key?: CryptoKey | Uint8Array; alg?: string }): Promise<string>;
  /** Texts of the public key, with which an attacker might sign. */
  publicTexts: readonly string[];
  /** Paths of the requests so far. */
  requests: string[];
  /** Status of the next answers, default 200. */
  status: number;
  /** Name that discovery documents state, default the right one. */
  statesIssuer: string | undefined;
  close(): Promise<void>;
}

const discovery = '/.well-known/openid-configuration';

/** Starts an issuer. */
export async function startIssuer(): Promise<Issuer> {
  const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid: 'key-1', alg: 'RS256', use: 'sig' };
  const names = new Set<string>();
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    issuer.requests.push(path);
    response.writeHead(issuer.status, { 'content-type': 'application/json' });
    if (!path.endsWith(discovery)) return void response.end(JSON.stringify({ keys: [jwk] }));
    const base = `${address}${path.slice(0, -discovery.length)}`;
    const name = names.has(`${base}/`) ? `${base}/` : base;
    response.end(JSON.stringify({ issuer: issuer.statesIssuer ?? name, jwks_uri: issuer.keysUrl }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const issuer: Issuer = {
    at(path) {
      names.add(`${address}${path}`);
      return `${address}${path}`;
    },
    keysUrl: `${address}/keys`,
    sign: (claims, { key = privateKey, alg = 'RS256' } = {}) =>
      new SignJWT(claims).setProtectedHeader({ alg, kid: 'key-1', typ: 'JWT' }).sign(key),
    publicTexts: [await exportSPKI(publicKey), JSON.stringify(jwk)],
    requests: [],
    status: 200,
    statesIssuer: undefined,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return issuer;
}
