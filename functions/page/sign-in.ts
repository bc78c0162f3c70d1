/**
 * Triggered by `POST /session`: gives a token for any user to whoever asks, on the page that `npm start` serves. Where
 * nobody said that this is a place for development, there is no such route (404). Keeps nothing.
 */
import { z } from 'zod';
import { whenCalled } from '../../runtime/base/lazy.ts';
import { createLog, type Log } from '../../runtime/base/log.ts';
import { readJson } from '../../runtime/http/body.ts';
import { json, publicFunction } from '../../runtime/http/function.ts';
import { Problem } from '../../runtime/http/problem.ts';
import { type Config, loadConfig } from '../../runtime/settings/read.ts';
import { mintToken, scopes } from '../../shared/auth/tokens.ts';
import { id } from '../../shared/database/id.ts';

type Settings = Config<'auth' | 'development'>;

const request = z.object({ user_id: id });
const expiresInSeconds = 3600;

export function createHandler({ auth, development, log }: Settings & { log?: Log }) {
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

export const handler = whenCalled(async () => {
  const { log, ...config } = await loadConfig(['auth', 'development', 'log']);
  return createHandler({ ...config, log: createLog(log) });
});
