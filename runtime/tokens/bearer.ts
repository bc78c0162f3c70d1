import { errors, type JWTPayload, type JWTVerifyGetKey, type JWTVerifyOptions, jwtVerify } from 'jose';
import { isNetworkError, UnavailableError } from '../base/errors.ts';
import { Problem } from '../http/problem.ts';

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
 * Returns the token of a header `Authorization` (RFC 6750, 2.1).
 *
 * @param authorization the header as it came.
 * @throws Problem 401 if it has no token.
 */
export function bearerToken(authorization: string | undefined): string {
  const token = /^Bearer +([\w-]+\.[\w-]+\.[\w-]+) *$/i.exec(authorization ?? '')?.[1];
  if (token !== undefined) return token;
  const detail = 'authorization: expected "Bearer <token>"';
  throw unauthorized(authorization === undefined ? `${detail}, got nothing` : detail);
}

/**
 * Makes a check of a token's signature, its times and its issuer. `refuseToken` turns its errors into answers.
 *
 * @param keys the public keys of the issuer (`issuerKeys`), or a shared secret for HS256.
 * @param issuer that tokens must name, default any.
 */
export function tokenCheck(
  keys: JWTVerifyGetKey | Uint8Array,
  issuer?: string,
): (token: string) => Promise<JWTPayload> {
  const options: JWTVerifyOptions = {
    requiredClaims: ['exp'],
    clockTolerance: 5,
    ...(issuer && { issuer }),
  };
  return async (token) => {
    if (keys instanceof Uint8Array)
      return (await jwtVerify(token, keys, { ...options, algorithms: ['HS256'] })).payload;
    return (await jwtVerify(token, keys, { ...options, algorithms: keyPairs })).payload;
  };
}

/** Codes for an issuer that answers late, with another status than 200, or without a key set; the token may be valid. */
const noKeys = new Set([errors.JWKSTimeout.code, errors.JOSEError.code, errors.JWKSInvalid.code]);

/**
 * Throws what a client gets for an error of a token's check.
 *
 * @throws Problem 401 if the token is not valid, UnavailableError if the keys cannot be fetched, otherwise the error.
 */
export function refuseToken(error: unknown): never {
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
