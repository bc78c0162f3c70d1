import { errors, type JWTPayload } from 'jose';

/** @throws JWTClaimValidationFailed always. */
export function refuseClaim(claims: JWTPayload, claim: string): never {
  throw new errors.JWTClaimValidationFailed(
    `unexpected "${claim}" claim value`,
    claims,
    claim,
    'check_failed',
  );
}

/** The texts of a claim that is a text or a list. */
export const textsOf = (value: unknown): string[] =>
  (Array.isArray(value) ? value : [value]).filter((each) => typeof each === 'string');

/**
 * Checks that a token names one of the audiences.
 *
 * @param claim that names the audience, such as `aud` or `client_id`.
 * @throws JWTClaimValidationFailed
 */
export function checkAudience(claims: JWTPayload, accepted: readonly string[], claim: string): void {
  if (!textsOf(claims[claim]).some((audience) => accepted.includes(audience))) refuseClaim(claims, claim);
}

/**
 * Checks a claim that is required as `name` or as `name=value`; a list must contain the value.
 *
 * @throws JWTClaimValidationFailed
 */
export function checkRequired(claims: JWTPayload, required: string): void {
  const [, name = required, expected] = /^([^=]+)=(.*)$/.exec(required) ?? [];
  const value = claims[name];
  const values = (Array.isArray(value) ? value : [value]).map(String);
  const met = expected === undefined ? value !== undefined && value !== null : values.includes(expected);
  if (!met) refuseClaim(claims, name);
}
