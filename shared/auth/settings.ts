import { type SettingsValues, urlField } from 'warren/functions';
import { z } from 'zod';

/** Which tokens are valid. */
export const authSettings = () =>
  z
    .object({
      AUTH_JWT_SECRET: z
        .string()
        .min(32, 'expected at least 32 characters')
        .optional()
        .describe('key of HS256 tokens, at least 32 characters'),
      AUTH_JWKS_URL: urlField(['http:', 'https:'], 'https://issuer.example.com/.well-known/jwks.json')
        .optional()
        .describe('public keys of a token issuer, instead of the secret'),
      AUTH_ISSUER: z
        .string()
        .optional()
        .describe('issuer that tokens must name, if set; required with `AUTH_JWKS_URL`'),
      AUTH_AUDIENCE: z
        .string()
        .optional()
        .describe('audience that tokens must name, if set; required with `AUTH_JWKS_URL`'),
    })
    .refine((value) => value.AUTH_JWT_SECRET !== undefined || value.AUTH_JWKS_URL !== undefined, {
      path: ['AUTH_JWT_SECRET'],
      error: 'expected AUTH_JWT_SECRET or AUTH_JWKS_URL',
    })
    // An issuer signs tokens for other applications with the same keys.
    .refine(
      ({ AUTH_JWKS_URL, AUTH_AUDIENCE, AUTH_ISSUER }) =>
        AUTH_JWKS_URL === undefined || (AUTH_AUDIENCE !== undefined && AUTH_ISSUER !== undefined),
      { path: ['AUTH_JWKS_URL'], error: 'expected AUTH_AUDIENCE and AUTH_ISSUER beside it' },
    );

export type AuthSettings = SettingsValues<typeof authSettings>;
