import type { User } from '../auth.ts';
import type { HttpEvent } from './function.ts';
import { Problem } from './problem.ts';

/**
 * Lets a route of `/users/{id}/...` be used by that user only.
 *
 * @param what for people: "the points", say.
 * @throws Problem 403, whether there is such a user or not.
 */
export function onlyOwn(event: HttpEvent, user: User, what: string): void {
  if (event.pathParameters?.['id'] === String(user.id)) return;
  throw new Problem(403, 'Not allowed', `id: this is about ${what} of user ${user.id} only`);
}
