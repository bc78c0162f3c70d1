import { listField, type SettingsValues, urlField } from 'warren/functions';
import * as z from 'zod';

/** Settings that decide which tokens are valid. docs/identity.md has their values for well-known issuers. */
export const authSettings = () =>
  z
    .object({
      AUTH_JWT_SECRET: z
        .string()
        .min(32, 'expected at least 32 characters')
        .optional()
        .describe('key of HS256 tokens of our own, at least 32 characters; not with an issuer'),
      AUTH_JWKS_URL: urlField(['http:', 'https:'], 'https://issuer.example.com/.well-known/jwks.json')
        .optional()
        .describe('public keys of a token issuer; default the ones that its discovery document names'),
      AUTH_ISSUER: z
        .string()
        // The key of a caller has a space between issuer and subject.
        .regex(/^[\x21-\x7e]+$/, 'expected the name of an issuer, without spaces')
        .optional()
        .describe('issuer that tokens must name; without `AUTH_JWT_SECRET`, its keys check the tokens'),
      AUTH_AUDIENCE: listField()
        .optional()
        .describe('audiences, separated by commas, of which tokens must name one; required with an issuer'),
      AUTH_AUDIENCE_CLAIM: claimField()
        .default('aud')
        .describe(
          'claim that names the audience, such as `client_id`, `azp` or `cid` if tokens have no `aud`',
        ),
      AUTH_SUBJECT_CLAIM: claimField()
        .default('sub')
        .describe("claim that identifies the user at an issuer, such as Entra's `oid`"),
      AUTH_SCOPE_CLAIM: listField('scope').describe(
        'claims that grant scopes, separated by commas: `scope`, `scp`, `permissions`, `roles`',
      ),
      AUTH_SCOPE_PREFIX: z
        .string()
        .optional()
        .describe('prefix of our scopes in a token, such as `server/`; scopes without it grant nothing then'),
      AUTH_DEFAULT_SCOPES: listField()
        .optional()
        .describe('scopes, separated by commas, that every accepted token has, for an issuer without scopes'),
      AUTH_REQUIRED_CLAIMS: listField()
        .optional()
        .describe(
          'claims, separated by commas, that a token must have: `name`, or `name=value` such as `token_use=access`',
        ),
    })
    .refine((value) => value.AUTH_JWT_SECRET !== undefined || usesIssuer(value), {
      path: ['AUTH_JWT_SECRET'],
      error: 'expected AUTH_JWT_SECRET, AUTH_ISSUER or AUTH_JWKS_URL',
    })
    // An issuer signs tokens for other applications with the same keys.
    .refine(
      ({ AUTH_JWKS_URL, AUTH_AUDIENCE, AUTH_ISSUER }) =>
        AUTH_JWKS_URL === undefined || (AUTH_AUDIENCE !== undefined && AUTH_ISSUER !== undefined),
      { path: ['AUTH_JWKS_URL'], error: 'expected AUTH_AUDIENCE and AUTH_ISSUER beside it' },
    )
    .refine(
      (value) =>
        !discovers(value) ||
        (value.AUTH_AUDIENCE !== undefined && /^https?:\/\//.test(value.AUTH_ISSUER ?? '')),
      {
        path: ['AUTH_ISSUER'],
        error:
          'expected a URL such as https://issuer.example.com, and AUTH_AUDIENCE beside it, without AUTH_JWT_SECRET',
      },
    );

export type AuthSettings = SettingsValues<typeof authSettings>;

interface Keys {
  AUTH_JWT_SECRET?: string | undefined;
  AUTH_JWKS_URL?: string | undefined;
  AUTH_ISSUER?: string | undefined;
}

/** Whether the keys of an issuer check the tokens, and not our own secret. */
export const usesIssuer = (value: Keys): boolean => value.AUTH_JWKS_URL !== undefined || discovers(value);

const discovers = ({ AUTH_JWT_SECRET, AUTH_JWKS_URL, AUTH_ISSUER }: Keys): boolean =>
  AUTH_JWKS_URL === undefined && AUTH_JWT_SECRET === undefined && AUTH_ISSUER !== undefined;

const claimField = () => z.string().regex(/^[^\s,=]+$/, 'expected the name of one claim');
