/**
 * Triggered by `POST /session`: returns a token for any user, on the page that `npm start` serves. It requires no credentials,
 * so the route answers 404 unless the settings enable it for development. Stores nothing.
 */
import { type Log, lambda, log } from 'warren/functions';
import { json, Problem, publicFunction, readJson } from 'warren/http';
import * as z from 'zod';
import { type AuthSettings, usesIssuer } from '../../shared/auth/settings.ts';
import type { SignInSettings } from '../../shared/auth/sign-in.ts';
import { signIn, tokenSettings } from '../../shared/auth/sign-in.ts';
import { mintToken, scopes } from '../../shared/auth/tokens.ts';
import { id } from '../../shared/database/id.ts';

interface Deps {
  auth: AuthSettings;
  development: SignInSettings;
  log?: Log;
}

const request = z.object({ user_id: id });
const expiresInSeconds = 3600;

export function createHandler({ auth, development, log }: Deps) {
  const { AUTH_JWT_SECRET: secret } = auth;
  // A configured issuer indicates production, and it would not accept our tokens.
  const enabled = development.WARREN_DEV_SIGN_IN === 'true' && !usesIssuer(auth);
  return publicFunction({ log }, async (event) => {
    if (!enabled || secret === undefined) {
      throw new Problem(
        404,
        'No sign-in here',
        'this is not a development server: get a token from its issuer',
      );
    }
    const { user_id } = readJson(event, request);
    const token = await mintToken({ secret, sub: String(user_id), scopes, expiresInSeconds });
    return json(201, { user_id, token, expires_in: expiresInSeconds });
  });
}

export const handler = lambda({ auth: tokenSettings, development: signIn, log }, createHandler);
