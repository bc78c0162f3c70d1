import type { JWTPayload } from 'jose';
import { checkAudience, checkRequired, refuseClaim, textsOf } from 'warren/http';
import * as z from 'zod';
import { type Identity, identityKey } from './identity.ts';
import { type AuthSettings, usesIssuer } from './settings.ts';

/** The caller of a request, as its token describes it. */
export interface Caller {
  /** Identifies the caller to rate limits and RPC methods: the id of a user for our own tokens, else issuer and subject. */
  key: string;
  scopes: ReadonlySet<string>;
  /** Missing for our own tokens. */
  identity?: Identity;
}

/**
 * Reads the caller from the claims of a token whose signature, issuer and times are right.
 *
 * @throws JWTClaimValidationFailed for a claim that is not as the settings expect it.
 */
export function readCaller(claims: JWTPayload, settings: AuthSettings): Caller {
  const { AUTH_AUDIENCE: accepted, AUTH_AUDIENCE_CLAIM: claim } = settings;
  if (accepted !== undefined) checkAudience(claims, accepted, claim);
  for (const required of settings.AUTH_REQUIRED_CLAIMS ?? []) checkRequired(claims, required);
  const scopes = scopesOf(claims, settings);
  if (!usesIssuer(settings)) return { key: ownId(claims), scopes };
  const identity = {
    issuer: settings.AUTH_ISSUER ?? '',
    subject: subjectOf(claims, settings.AUTH_SUBJECT_CLAIM),
    ...profileOf(claims),
  };
  return { key: identityKey(identity), scopes, identity };
}

/** Scopes in a text that is separated by spaces (RFC 8693, 4.2), or in a list; any other claim grants none. */
function scopesOf(claims: JWTPayload, settings: AuthSettings): Set<string> {
  const { AUTH_SCOPE_CLAIM, AUTH_SCOPE_PREFIX: prefix = '', AUTH_DEFAULT_SCOPES = [] } = settings;
  const granted = AUTH_SCOPE_CLAIM.flatMap((claim) => {
    const value = claims[claim];
    return typeof value === 'string' ? value.split(' ') : Array.isArray(value) ? textsOf(value) : [];
  });
  const ours = granted
    .filter((scope) => scope.startsWith(prefix))
    .map((scope) => scope.slice(prefix.length))
    .filter((scope) => scope !== '');
  return new Set([...ours, ...AUTH_DEFAULT_SCOPES]);
}

/** The `sub` of our own tokens: the id of a user, an integer from 1 to 2^53-1. */
function ownId(claims: JWTPayload): string {
  const { sub = '' } = claims;
  const id = /^\d{1,16}$/.test(sub) ? Number(sub) : 0;
  if (!Number.isSafeInteger(id) || id < 1) refuseClaim(claims, 'sub');
  return String(id);
}

/** A subject has at most 255 characters of ASCII (OpenID Connect Core 1.0, 2). */
function subjectOf(claims: JWTPayload, claim: string): string {
  const subject = claims[claim];
  if (typeof subject === 'string' && /^[\x20-\x7e]{1,255}$/.test(subject)) return subject;
  return refuseClaim(claims, claim);
}

const maxNameLength = 100;
const mailAddress = z.email().max(254);

/** Name and mail address, if the issuer has verified the address: the user may have typed anything. */
function profileOf({ email, email_verified, name }: JWTPayload): Pick<Identity, 'name' | 'email'> {
  const address = mailAddress.safeParse(email);
  // Cognito writes the claim as text.
  const verified = email_verified === true || email_verified === 'true';
  if (!verified || !address.success) return { name: null, email: null };
  const visible =
    typeof name === 'string'
      ? name
          .replace(/\p{C}+/gu, ' ')
          .trim()
          .slice(0, maxNameLength)
      : '';
  return { name: visible === '' ? null : visible, email: address.data };
}
