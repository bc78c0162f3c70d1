import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';

export interface TokenIssuer {
  /** Lines for rabbitmq.conf that let the broker trust this issuer's keys, which it reads over TLS. */
  config: string[];
  tokenEndpoint: string;
  /** Requests for tokens so far. */
  requests: { authorization: string; form: URLSearchParams }[];
  /** Seconds that a token is valid. */
  lifetime: number;
  /** The status of the answers. */
  status: number;
  /** How many of the next requests are answered with 503. */
  failures: number;
  /** Signs a token with the issuer's key, which is valid for its `lifetime`. */
  sign(claims: JWTPayload, audience: string): Promise<string>;
  close(): Promise<void>;
}

/** An OAuth 2 issuer with client credentials: signed tokens, and the public key as JWKS. */
export async function startTokenIssuer(folder: string): Promise<TokenIssuer> {
  const { privateKey, publicKey } = await generateKeyPair('RS256');
  const keys = [{ ...(await exportJWK(publicKey)), kid: 'k1', alg: 'RS256', use: 'sig' }];
  const file = (name: string) => join(folder, name);
  makeCertificate(folder, await withExtension(file('localhost.ext')));
  const pem = { key: await readFile(file('localhost.key')), cert: await readFile(file('localhost.pem')) };
  const json = (response: ServerResponse, value: unknown, status = 200) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  const jwks = createSecureServer(pem, (_, response) => json(response, { keys }));
  const tokens = createServer(async (request, response) => {
    const form = new URLSearchParams(await textOf(request));
    issuer.requests.push({ authorization: request.headers.authorization ?? '', form });
    if (issuer.failures > 0) {
      issuer.failures -= 1;
      return json(response, {}, 503);
    }
    if (issuer.status !== 200) return json(response, { error: 'invalid_client' }, issuer.status);
    const claims = { sub: 'worker', scope: form.get('scope') ?? '', client_id: 'worker' };
    const token = await issuer.sign(claims, form.get('audience') ?? 'rabbitmq');
    return json(response, { access_token: token, token_type: 'Bearer', expires_in: issuer.lifetime });
  });
  const issuer: TokenIssuer = {
    config: [
      'auth_backends.1 = rabbit_auth_backend_oauth2',
      'auth_backends.2 = internal',
      'auth_oauth2.resource_server_id = rabbitmq',
      `auth_oauth2.jwks_url = https://localhost:${await portOf(jwks)}/jwks.json`,
      `auth_oauth2.https.cacertfile = ${file('issuer-ca.pem')}`,
      'auth_oauth2.https.peer_verification = verify_peer',
    ],
    tokenEndpoint: `http://127.0.0.1:${await portOf(tokens)}/token`,
    requests: [],
    lifetime: 600,
    status: 200,
    failures: 0,
    sign: (claims, audience) =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: 'RS256', kid: 'k1', typ: 'JWT' })
        .setAudience(audience)
        .setExpirationTime(Math.floor(Date.now() / 1000) + issuer.lifetime)
        .sign(privateKey),
    async close() {
      await Promise.all([jwks, tokens].map(closed));
    },
  };
  return issuer;
}

async function withExtension(path: string): Promise<string> {
  await writeFile(path, 'subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\n');
  return path;
}

function makeCertificate(cwd: string, extension: string): void {
  const openssl = (args: string) => execFileSync('openssl', args.split(' '), { cwd, stdio: 'pipe' });
  openssl(
    'req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=issuer-ca -keyout issuer-ca.key -out issuer-ca.pem',
  );
  openssl('req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout localhost.key -out localhost.csr');
  const ca = '-CA issuer-ca.pem -CAkey issuer-ca.key -CAcreateserial';
  openssl(`x509 -req -days 2 -in localhost.csr ${ca} -extfile ${extension} -out localhost.pem`);
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

async function portOf(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
