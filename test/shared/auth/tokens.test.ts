import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSettings } from '../../../runtime/settings/read.ts';
import { authSettings } from '../../../shared/auth/settings.ts';
import { createAuthenticate, mintToken } from '../../../shared/auth/tokens.ts';

const secret = 'a-secret-for-tests-of-32-characters';
const now = () => Math.floor(Date.now() / 1000);
const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');

const accepting = (env: Record<string, string>) =>
  createAuthenticate(readSettings({ auth: authSettings }, env).auth);

describe('tokens with a shared secret', () => {
  const authenticate = accepting({ AUTH_JWT_SECRET: secret });
  const token = (settings: Partial<Parameters<typeof mintToken>[0]> = {}) =>
    mintToken({ secret, sub: '7', scopes: ['rpc:call'], expiresInSeconds: 60, ...settings });

  it('a token has the caller and the scopes', async () => {
    const user = await authenticate(`Bearer ${await token()}`, 'rpc:call');
    expect(user).toEqual({ key: '7', scopes: new Set(['rpc:call']) });
    // RFC 7235: the scheme is case-insensitive.
    expect((await authenticate(`bearer ${await token()}`)).key).toBe('7');
  });

  it.each([undefined, '', 'Bearer', 'Bearer x', 'Basic dXNlcjpwYXNz', 'Bearer a.b.c', 'Bearer a.b.c d.e.f'])(
    'refuses the header %j with 401',
    async (header) => {
      await expect(authenticate(header)).rejects.toMatchObject({
        status: 401,
        headers: { 'www-authenticate': expect.stringContaining('Bearer') },
      });
    },
  );

  it.each(['ada', '0', '-1', '1.5', '99999999999999999', ''])(
    'the user id %j is refused with 401',
    async (sub) => {
      await expect(authenticate(`Bearer ${await token({ sub })}`)).rejects.toMatchObject({ status: 401 });
    },
  );

  it('an expired, unsigned or foreign token is refused', async () => {
    const refused = { status: 401 };
    const expired = await token({ expiresInSeconds: -60 });
    await expect(authenticate(`Bearer ${expired}`)).rejects.toMatchObject({
      ...refused,
      detail: 'the token has expired',
    });
    const forged = await token({ secret: 'another-secret-of-32-characters-abc' });
    await expect(authenticate(`Bearer ${forged}`)).rejects.toMatchObject({
      ...refused,
      detail: 'the token is not valid',
    });
    const unsigned = `${encode({ alg: 'none' })}.${encode({ sub: '7', exp: now() + 60 })}.`;
    await expect(authenticate(`Bearer ${unsigned}`)).rejects.toMatchObject(refused);
    await expect(authenticate(`Bearer ${unsigned}AA`)).rejects.toMatchObject(refused);
  });

  it('a token with changed claims, or that is not valid yet, is refused', async () => {
    const [head, , signature] = (await token()).split('.');
    const changed = `${head}.${encode({ sub: '1', exp: now() + 60 })}.${signature}`;
    await expect(authenticate(`Bearer ${changed}`)).rejects.toMatchObject({ status: 401 });
    const later = await new SignJWT({ sub: '7', exp: now() + 600, nbf: now() + 60 })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(new TextEncoder().encode(secret));
    await expect(authenticate(`Bearer ${later}`)).rejects.toMatchObject({ status: 401 });
  });

  it('a token with another algorithm is refused, even with the right secret', async () => {
    for (const alg of ['HS384', 'HS512']) {
      const other = await new SignJWT({ sub: '7', exp: now() + 60 })
        .setProtectedHeader({ alg })
        .sign(new TextEncoder().encode(secret));
      await expect(authenticate(`Bearer ${other}`)).rejects.toMatchObject({ status: 401 });
    }
  });

  it('a scope is compared as a whole, and a claim that is no text and no list grants none', async () => {
    const header = `Bearer ${await token({ scopes: ['rpc:calling', 'alerts:write'] })}`;
    await expect(authenticate(header, 'rpc:call')).rejects.toMatchObject({ status: 403 });
    for (const scope of [{ 'rpc:call': true }, 7, null, [['rpc:call']], ['rpc:call alerts:write']]) {
      const strange = await new SignJWT({ sub: '7', exp: now() + 60, scope })
        .setProtectedHeader({ alg: 'HS256' })
        .sign(new TextEncoder().encode(secret));
      await expect(authenticate(`Bearer ${strange}`, 'rpc:call')).rejects.toMatchObject({ status: 403 });
    }
  });

  it('a token without an expiry is refused', async () => {
    const forever = await new SignJWT()
      .setProtectedHeader({ alg: 'HS256' })
      .setSubject('7')
      .sign(new TextEncoder().encode(secret));
    await expect(authenticate(`Bearer ${forever}`)).rejects.toMatchObject({ status: 401 });
  });

  it('a token without the scope is refused with 403 and the name of the scope', async () => {
    const header = `Bearer ${await token()}`;
    await expect(authenticate(header, 'alerts:write')).rejects.toMatchObject({
      status: 403,
      headers: { 'www-authenticate': 'Bearer error="insufficient_scope", scope="alerts:write"' },
    });
  });
});

describe("tokens of an issuer's key pair", () => {
  let server: Server;
  let url: string;
  let privateKey: Awaited<ReturnType<typeof generateKeyPair>>['privateKey'];
  let publicText: string;

  beforeAll(async () => {
    const pair = await generateKeyPair('ES256', { extractable: true });
    privateKey = pair.privateKey;
    const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'key-1', alg: 'ES256' };
    publicText = JSON.stringify(jwk);
    server = createServer((_, response) => response.end(JSON.stringify({ keys: [jwk] })));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`;
  });
  afterAll(() => server.close());

  const issuer = { AUTH_ISSUER: 'https://issuer', AUTH_AUDIENCE: 'warren' };
  const own = { iss: 'https://issuer', aud: 'warren' };
  const token = (claims: Record<string, unknown> = own) =>
    new SignJWT({ sub: '7', exp: now() + 60, ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: 'key-1' })
      .sign(privateKey);

  it('are checked against its published keys, its name and the audience', async () => {
    const authenticate = accepting({ AUTH_JWKS_URL: url, ...issuer });
    expect((await authenticate(`Bearer ${await token()}`)).key).toBe('https://issuer 7');
    for (const claims of [
      {},
      { iss: 'https://issuer', aud: 'other' },
      { iss: 'https://evil', aud: 'warren' },
    ]) {
      await expect(authenticate(`Bearer ${await token(claims)}`)).rejects.toMatchObject({ status: 401 });
    }
  });

  it('can not be forged with the public key as a shared secret', async () => {
    const authenticate = accepting({ AUTH_JWKS_URL: url, ...issuer });
    const forged = await new SignJWT({ sub: '7', exp: now() + 60, ...own })
      .setProtectedHeader({ alg: 'HS256', kid: 'key-1' })
      .sign(new TextEncoder().encode(publicText));
    await expect(authenticate(`Bearer ${forged}`)).rejects.toMatchObject({ status: 401 });
  });

  it('tokens are refused if they name an unpublished key, or are signed with another', async () => {
    const authenticate = accepting({ AUTH_JWKS_URL: url, ...issuer });
    const other = await generateKeyPair('ES256');
    const claims = { sub: '7', exp: now() + 60, ...own };
    for (const [kid, key] of [
      ['key-2', privateKey],
      ['key-1', other.privateKey],
    ] as const) {
      const forged = await new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid }).sign(key);
      await expect(authenticate(`Bearer ${forged}`)).rejects.toMatchObject({ status: 401 });
    }
    expect((await authenticate(`Bearer ${await token()}`)).key).toBe('https://issuer 7');
  });

  it.each([
    ['do not come', () => undefined],
    ['are an HTML page', (_: unknown, response: ServerResponse) => response.end('<html>')],
    ['are no keys', (_: unknown, response: ServerResponse) => response.end('{"keys":7}')],
  ])('cause UnavailableError while the keys %s', async (_what, listener) => {
    const strange = createServer(listener as RequestListener);
    await new Promise<void>((resolve) => strange.listen(0, '127.0.0.1', resolve));
    const keys = `http://127.0.0.1:${(strange.address() as AddressInfo).port}/jwks.json`;
    const asked = accepting({ AUTH_JWKS_URL: keys, ...issuer })(`Bearer ${await token()}`);
    await expect(asked).rejects.toMatchObject({ code: 'ERR_UNAVAILABLE', dependency: 'auth' });
    strange.closeAllConnections();
    await new Promise((resolve) => strange.close(resolve));
  });

  it('cause UnavailableError while the keys cannot be fetched', async () => {
    const gone = createServer((_, response) => response.writeHead(500).end());
    await new Promise<void>((resolve) => gone.listen(0, '127.0.0.1', resolve));
    const keys = `http://127.0.0.1:${(gone.address() as AddressInfo).port}/jwks.json`;
    const ask = async () => accepting({ AUTH_JWKS_URL: keys, ...issuer })(`Bearer ${await token()}`);
    await expect(ask()).rejects.toMatchObject({ code: 'ERR_UNAVAILABLE', dependency: 'auth' });
    await new Promise((resolve) => gone.close(resolve));
    await expect(ask()).rejects.toMatchObject({ code: 'ERR_UNAVAILABLE', dependency: 'auth' });
  });
});
