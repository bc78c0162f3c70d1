import { resource } from 'warren/functions';
import { database } from '../database/resource.ts';
import { authenticateUsers } from './identities.ts';
import { authSettings } from './settings.ts';
import { createAuthenticate } from './tokens.ts';

/** Checks the bearer token of a request, without a database: it returns the caller and no user. */
export const authenticateCaller = resource(authSettings, (settings, { reread }) =>
  createAuthenticate(settings, reread),
);

/** Checks the bearer token of a request, and finds or makes its user. */
export const authenticate = resource(
  undefined,
  (_, { use }) => authenticateUsers(use(authenticateCaller), use(database)),
  [authenticateCaller, database],
);
