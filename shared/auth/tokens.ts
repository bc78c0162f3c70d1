import { errors, type JWTPayload, type JWTVerifyOptions, jwtVerify, SignJWT } from 'jose';
import { isNetworkError, Renewed, UnavailableError } from 'warren/functions';
import { Problem } from 'warren/http';
import { type Caller, readCaller } from './caller.ts';
import { issuerKeys } from './issuer-keys.ts';
import { type AuthSettings, usesIssuer } from './settings.ts';

export const scopes = [
  'pictures:write',
  'alerts:write',
  'rpc:call',
  'friends:write',
  'queues:read',
  'bookings:write',
] as const;
export type Scope = (typeof scopes)[number];

/** A caller who is a user of ours. */
export interface User extends Caller {
  id: number;
}

/**
 * Checks a bearer token (RFC 6750).
 *
 * @param authorization the header as it came.
 * @param scope the scope that the token must have.
 * @throws Problem 401 without a valid token, 403 without the scope; UnavailableError if the keys cannot be fetched.
 */
export type Authenticate<Who = User> = (authorization: string | undefined, scope?: string) => Promise<Who>;

/** Algorithms for key pairs are never used with a shared secret: a token names its algorithm, and must not choose it. */
const keyPairs = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];

/**
 * Checks tokens against the issuer's public keys if the settings name an issuer, else against AUTH_JWT_SECRET (HS256). It needs no
 * database; `authenticateUsers` adds the user.
 *
 * @param reread reads the settings again if a signature is not valid, because the secret may have been rotated; default they
 *   never change.
 */
export function createAuthenticate(values: AuthSettings, reread = async () => values): Authenticate<Caller> {
  const verifiers = new Renewed({ values, build: createVerify, reread, refused: isSignatureWrong });
  return async (authorization, scope) => {
    const token = /^Bearer +([\w-]+\.[\w-]+\.[\w-]+) *$/i.exec(authorization ?? '')?.[1];
    if (!token) {
      const detail = 'authorization: expected "Bearer <token>"';
      throw unauthorized(authorization === undefined ? `${detail}, got nothing` : detail);
    }
    const caller = await verifiers.use((verify) => verify(token)).catch(refuse);
    if (scope !== undefined && !caller.scopes.has(scope)) {
      throw new Problem(403, 'Not allowed', `the token lacks the scope "${scope}"`, {
        'www-authenticate': `Bearer error="insufficient_scope", scope="${scope}"`,
      });
    }
    return caller;
  };
}

/**
 * Makes a token that is signed with a shared secret, for development and tests without an issuer.
 *
 * @param settings `sub` is the id of the user.
 */
export async function mintToken(settings: {
  secret: string;
  sub: string;
  scopes: readonly string[];
  expiresInSeconds: number;
}): Promise<string> {
  const { secret, sub, scopes: granted, expiresInSeconds } = settings;
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({ scope: granted.join(' ') })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(sub)
    .setIssuedAt(now)
    .setExpirationTime(now + expiresInSeconds)
    .sign(new TextEncoder().encode(secret));
}

function createVerify(settings: AuthSettings): (token: string) => Promise<Caller> {
  const verify = createSignatureCheck(settings);
  return async (token) => readCaller(await verify(token), settings);
}

/** Checks the signature of a token, its times and its issuer. */
function createSignatureCheck(settings: AuthSettings): (token: string) => Promise<JWTPayload> {
  const { AUTH_JWT_SECRET = '', AUTH_JWKS_URL, AUTH_ISSUER = '' } = settings;
  const options: JWTVerifyOptions = {
    requiredClaims: ['exp'],
    clockTolerance: 5,
    ...(AUTH_ISSUER && { issuer: AUTH_ISSUER }),
  };
  if (usesIssuer(settings)) {
    const keys = issuerKeys(AUTH_ISSUER, AUTH_JWKS_URL);
    return async (token) => (await jwtVerify(token, keys, { ...options, algorithms: keyPairs })).payload;
  }
  const secret = new TextEncoder().encode(AUTH_JWT_SECRET);
  return async (token) => (await jwtVerify(token, secret, { ...options, algorithms: ['HS256'] })).payload;
}

const isSignatureWrong = (error: unknown): boolean => error instanceof errors.JWSSignatureVerificationFailed;

/** Codes for an issuer that answers late, with another status than 200, or without a key set; the token may be valid. */
const noKeys = new Set([errors.JWKSTimeout.code, errors.JOSEError.code, errors.JWKSInvalid.code]);

function refuse(error: unknown): never {
  if (isNetworkError(error) || (error instanceof errors.JOSEError && noKeys.has(error.code))) {
    throw new UnavailableError('auth', 'the keys of the token issuer can not be fetched', { cause: error });
  }
  if (error instanceof errors.JWTExpired) throw unauthorized('the token has expired');
  if (error instanceof errors.JWTClaimValidationFailed)
    throw unauthorized(`the token: ${error.claim}: not as expected`);
  if (error instanceof errors.JOSEError) throw unauthorized('the token is not valid');
  throw error;
}

function unauthorized(detail: string): Problem {
  return new Problem(401, 'Not authenticated', detail, {
    'www-authenticate': 'Bearer error="invalid_token"',
  });
}
