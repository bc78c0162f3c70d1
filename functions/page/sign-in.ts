/**
 * Triggered by `POST /session`: gives a token for any user to whoever asks, on the page that `npm start` serves. Where
 * nobody said that this is a place for development, there is no such route (404). Keeps nothing.
 */
import { type Log, lambda, log } from 'warren/functions';
import { json, Problem, publicFunction, readJson } from 'warren/http';
import { z } from 'zod';
import type { AuthSettings } from '../../shared/auth/settings.ts';
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
  const { AUTH_JWT_SECRET: secret, AUTH_JWKS_URL } = auth;
  // An issuer of tokens is a sign of production, and would not have signed ours.
  const enabled = development.WARREN_DEV_SIGN_IN === 'true' && AUTH_JWKS_URL === undefined;
  return publicFunction({ log }, async (event) => {
    if (!enabled || secret === undefined) {
      throw new Problem(
        404,
        'No sign-in here',
        'tokens come from elsewhere: this is no place for development',
      );
    }
    const { user_id } = readJson(event, request);
    const token = await mintToken({ secret, sub: String(user_id), scopes, expiresInSeconds });
    return json(201, { user_id, token, expires_in: expiresInSeconds });
  });
}

export const handler = lambda({ auth: tokenSettings, development: signIn, log }, createHandler);
