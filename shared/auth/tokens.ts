import { errors, type JWTPayload, SignJWT } from 'jose';
import { Renewed } from 'warren/functions';
import { bearerToken, issuerKeys, Problem, refuseToken, tokenCheck } from 'warren/http';
import { type Caller, readCaller } from './caller.ts';
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
    const token = bearerToken(authorization);
    const caller = await verifiers.use((verify) => verify(token)).catch(refuseToken);
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
  if (usesIssuer(settings)) return tokenCheck(issuerKeys(AUTH_ISSUER, AUTH_JWKS_URL), AUTH_ISSUER);
  return tokenCheck(new TextEncoder().encode(AUTH_JWT_SECRET), AUTH_ISSUER);
}

const isSignatureWrong = (error: unknown): boolean => error instanceof errors.JWSSignatureVerificationFailed;
