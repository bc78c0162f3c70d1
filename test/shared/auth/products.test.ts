/** Tokens that are shaped as those of well-known issuers, with the settings of docs/identity.md. */
import { generateKeyPair, type JWTPayload, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSettings } from '../../../runtime/settings/read.ts';
import { authSettings } from '../../../shared/auth/settings.ts';
import { createAuthenticate } from '../../../shared/auth/tokens.ts';
import { type Issuer, startIssuer } from '../../support/issuer.ts';
import { type Product, products } from '../../support/issuer-products.ts';

let issuer: Issuer;
beforeAll(async () => {
  issuer = await startIssuer();
});
afterAll(() => issuer.close());

const now = () => Math.floor(Date.now() / 1000);
const times = () => ({ iat: now() - 5, exp: now() + 60 });
const without = (claims: JWTPayload, names: readonly string[]): JWTPayload =>
  Object.fromEntries(Object.entries(claims).filter(([name]) => !names.includes(name)));

function setUp({ path, settings, token }: Product) {
  const name = issuer.at(path);
  const { auth } = readSettings({ auth: authSettings }, { ...settings, AUTH_ISSUER: name });
  const authenticate = createAuthenticate(auth);
  const claims = { iss: name, ...times(), ...token };
  return { name, claims, check: (text: string, scope?: string) => authenticate(`Bearer ${text}`, scope) };
}

describe.each(products)('a token of $name', (product) => {
  const { subject, otherAudience, settings } = product;

  it('is accepted with the settings of the product, and has its scopes and subject', async () => {
    const { name, claims, check } = setUp(product);
    const caller = await check(await issuer.sign(claims), 'pictures:write');
    expect(caller).toMatchObject({ key: `${name} ${subject}`, identity: { issuer: name, subject } });
    await expect(check(await issuer.sign(claims), 'rpc:call')).rejects.toMatchObject({ status: 403 });
  });

  it('is accepted with the address of the keys instead of discovery', async () => {
    const { name, claims } = setUp(product);
    const env = { ...settings, AUTH_ISSUER: name, AUTH_JWKS_URL: issuer.keysUrl };
    const { auth } = readSettings({ auth: authSettings }, env);
    const token = await issuer.sign(claims);
    expect((await createAuthenticate(auth)(`Bearer ${token}`)).key).toBe(`${name} ${subject}`);
  });

  it('is refused with one claim wrong, and the answer names no value', async () => {
    const { claims, check } = setUp(product);
    const required = (settings['AUTH_REQUIRED_CLAIMS'] ?? '').split('=')[0] ?? '';
    const wrong: JWTPayload[] = [
      { ...claims, iss: `${claims.iss}/other` },
      { ...claims, ...otherAudience },
      without(claims, Object.keys(otherAudience)),
      { ...claims, exp: now() - 60 },
      { ...claims, nbf: now() + 600 },
      without(claims, ['exp']),
      without(claims, ['iss']),
      { ...claims, [settings['AUTH_SUBJECT_CLAIM'] ?? 'sub']: 7 },
      ...(required === '' ? [] : [{ ...claims, [required]: 'other' }, without(claims, [required])]),
    ];
    for (const each of wrong) {
      const error = await check(await issuer.sign(each)).catch((thrown: unknown) => thrown);
      expect(error, JSON.stringify(each)).toMatchObject({
        status: 401,
        headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
        detail: expect.stringMatching(
          /^the token (has expired|is not valid)$|^the token: [\w:]+: not as expected$/,
        ),
      });
    }
  });

  it('is refused without a signature, with the public key as a secret, or with another key', async () => {
    const { claims, check } = setUp(product);
    const unsigned = new UnsecuredJWT(claims).encode();
    const other = await generateKeyPair('RS256');
    const forged = [
      unsigned,
      `${unsigned}AA`,
      ...(await Promise.all(
        issuer.publicTexts.map((text) =>
          issuer.sign(claims, { key: new TextEncoder().encode(text), alg: 'HS256' }),
        ),
      )),
      await issuer.sign(claims, { key: other.privateKey }),
    ];
    for (const token of forged) await expect(check(token)).rejects.toMatchObject({ status: 401 });
  });
});

it.each(products.filter(({ withoutScope }) => withoutScope))(
  'a token of $name without the scope is refused with 403',
  async (product) => {
    const { claims, check } = setUp(product);
    const token = await issuer.sign({ ...claims, ...product.withoutScope });
    await expect(check(token, 'pictures:write')).rejects.toMatchObject({ status: 403 });
  },
);

it.each(products.filter(({ idToken }) => idToken))(
  'an ID token of $name is refused in place of its access token',
  async (product) => {
    const { name, check } = setUp(product);
    const token = await issuer.sign({ iss: name, ...times(), ...product.idToken });
    await expect(check(token)).rejects.toMatchObject({ status: 401 });
  },
);

describe('discovery', () => {
  const authenticate = (path: string) => {
    const env = { AUTH_ISSUER: issuer.at(path), AUTH_AUDIENCE: 'warren' };
    return createAuthenticate(readSettings({ auth: authSettings }, env).auth);
  };
  const token = (path: string) =>
    issuer.sign({ iss: issuer.at(path), aud: 'warren', sub: 'ada', ...times() });

  it('simultaneous first tokens read the document and the keys once', async () => {
    const check = authenticate('/once');
    const header = `Bearer ${await token('/once')}`;
    issuer.requests.length = 0;
    await Promise.all(Array.from({ length: 5 }, () => check(header)));
    await check(header);
    expect(issuer.requests).toEqual(['/once/.well-known/openid-configuration', '/keys']);
  });

  it('a document that cannot be fetched makes the issuer unavailable, until a later token finds it', async () => {
    const check = authenticate('/later');
    const header = `Bearer ${await token('/later')}`;
    const unavailable = { code: 'ERR_UNAVAILABLE', dependency: 'auth' };
    issuer.status = 500;
    await expect(check(header)).rejects.toMatchObject(unavailable);
    issuer.status = 200;
    issuer.statesIssuer = 'https://evil.example.com';
    await expect(check(header)).rejects.toMatchObject(unavailable);
    issuer.statesIssuer = undefined;
    expect((await check(header)).key).toBe(`${issuer.at('/later')} ada`);
  });
});
