import { resource, type SettingsValues, UnavailableError } from 'warren/functions';
import { createDiscovery } from 'warren/http';
import * as z from 'zod';
import { authSettings } from './settings.ts';

/** Settings of the page's sign-in at the issuer. */
export const pageSignInSettings = () =>
  z.object({
    AUTH_ISSUER: authSettings().shape.AUTH_ISSUER,
    AUTH_CLIENT_ID: z
      .string()
      .optional()
      .describe(
        'public client of the issuer as which the page signs in; default none: no sign-in on the page',
      ),
    AUTH_CLIENT_SCOPE: z
      .string()
      .default('openid profile email')
      .describe('scopes that the page asks the issuer for, separated by spaces, with their prefixes'),
    AUTH_CLIENT_PARAMETERS: z
      .string()
      .optional()
      .describe('further parameters of that request as a query, such as `audience=https://api.example.com`'),
  });

export type PageSignInSettings = SettingsValues<typeof pageSignInSettings>;

/** What the page needs to sign in by the code flow with PKCE. */
export interface PageSignIn {
  issuer: string;
  authorization_endpoint: string;
  token_endpoint: string;
  client_id: string;
  scope: string;
  parameters: Record<string, string>;
}

/** Returns undefined if the page does not sign in at an issuer; throws UnavailableError while the issuer is unavailable. */
export type FindPageSignIn = () => Promise<PageSignIn | undefined>;

export function createPageSignIn(settings: PageSignInSettings): FindPageSignIn {
  const {
    AUTH_ISSUER,
    AUTH_CLIENT_ID: client_id,
    AUTH_CLIENT_SCOPE: scope,
    AUTH_CLIENT_PARAMETERS,
  } = settings;
  if (AUTH_ISSUER === undefined || client_id === undefined) return async () => undefined;
  const discover = createDiscovery(AUTH_ISSUER);
  const parameters = Object.fromEntries(new URLSearchParams(AUTH_CLIENT_PARAMETERS));
  return async () => {
    const { issuer, authorization_endpoint, token_endpoint } = await discover();
    if (authorization_endpoint === undefined || token_endpoint === undefined) {
      throw new UnavailableError('auth', 'the issuer names no endpoints to sign in');
    }
    return { issuer, authorization_endpoint, token_endpoint, client_id, scope, parameters };
  };
}

/** The page's sign-in at the issuer. */
export const pageSignIn = resource(pageSignInSettings, createPageSignIn);
