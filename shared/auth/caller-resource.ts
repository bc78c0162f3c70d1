import { resource } from 'warren/functions';
import { authSettings } from './settings.ts';
import { createAuthenticate } from './tokens.ts';

/** Checks the bearer token of a request, without a database: it returns the caller and no user. */
export const authenticateCaller = resource(authSettings, (settings, { reread }) =>
  createAuthenticate(settings, reread),
);
