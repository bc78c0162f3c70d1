import * as z from 'zod';
import { listField, urlField } from '../settings/fields.ts';
import type { SettingsValues } from '../settings/read.ts';

/** Settings by which users of the board sign in at a token issuer. docs/run-the-board.md has their values for well-known issuers. */
export const boardSettings = () =>
  z
    .object({
      BOARD_ISSUER: z
        .string()
        .regex(/^https?:\/\/\S+$/, 'expected a URL such as https://issuer.example.com')
        .optional()
        .describe('issuer whose tokens the board accepts; default none: the board is for this machine only'),
      BOARD_JWKS_URL: urlField(['http:', 'https:'], 'https://issuer.example.com/.well-known/jwks.json')
        .optional()
        .describe('public keys of the issuer; default the ones that its discovery document names'),
      BOARD_AUDIENCE: listField()
        .optional()
        .describe('audiences, separated by commas, of which tokens must name one; required with an issuer'),
      BOARD_AUDIENCE_CLAIM: claimField('aud').describe(
        'claim that names the audience, such as `client_id`, `azp` or `cid`',
      ),
      BOARD_REQUIRED_CLAIMS: listField()
        .optional()
        .describe('claims, separated by commas, that a token must have: `name`, or `name=value`'),
      BOARD_USER_CLAIM: claimField('sub').describe(
        'claim that names the user in the audit log, such as `email` or `preferred_username`',
      ),
      BOARD_ROLE_CLAIM: claimField('scope').describe(
        'claim that grants roles: a text with spaces between them, or a list; `realm_access.roles` is a claim in another one',
      ),
      BOARD_VIEWERS: listField('board:read').describe(
        'values of that claim, separated by commas, that make a viewer',
      ),
      BOARD_OPERATORS: listField('board:operate').describe(
        'values of that claim, separated by commas, that make an operator',
      ),
      BOARD_CLIENT_ID: z
        .string()
        .optional()
        .describe('public client of the issuer as which the page signs in'),
      BOARD_CLIENT_SCOPE: z
        .string()
        .default('openid profile email')
        .describe('scopes that the page asks the issuer for, separated by spaces'),
      BOARD_CLIENT_PARAMETERS: z
        .string()
        .optional()
        .describe(
          'further parameters of that request as a query, such as `audience=https://board.example.com`',
        ),
    })
    .refine(
      ({ BOARD_ISSUER, BOARD_AUDIENCE }) => BOARD_ISSUER === undefined || BOARD_AUDIENCE !== undefined,
      {
        path: ['BOARD_AUDIENCE'],
        // An issuer signs tokens for other applications with the same keys.
        error: 'expected it beside BOARD_ISSUER',
      },
    );

export type BoardSettings = SettingsValues<typeof boardSettings>;

const claimField = (name: string) =>
  z
    .string()
    .regex(/^[^\s,=]+$/, 'expected the name of one claim')
    .default(name);
