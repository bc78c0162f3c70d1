import { resource } from 'warren/functions';
import { authSettings } from './settings.ts';
import { createAuthenticate } from './tokens.ts';

/** Checks the bearer token of a request. */
export const authenticate = resource(authSettings, (settings, { reread }) =>
  createAuthenticate(settings, reread),
);
