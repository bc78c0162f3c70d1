import { resource } from 'warren/functions';
import { database } from '../database/resource.ts';
import { authenticateCaller } from './caller-resource.ts';
import { authenticateUsers } from './identities.ts';

/** Checks the bearer token of a request, and finds or makes its user. */
export const authenticate = resource(
  undefined,
  (_, { use }) => authenticateUsers(use(authenticateCaller), use(database)),
  [authenticateCaller, database],
);
