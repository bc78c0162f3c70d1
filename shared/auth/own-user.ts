import { type HttpEvent, Problem } from 'warren/http';
import { id } from '../database/id.ts';
import type { User } from './tokens.ts';

/**
 * Allows a route of `/users/{id}/...` for that user only, who may write `me` for the id: an issuer's token does not have it.
 *
 * @param what for people, such as "the points".
 * @throws Problem 403, whether such a user exists or not.
 */
export function onlyOwn(event: HttpEvent, user: User, what: string): void {
  const id = event.pathParameters?.['id'];
  if (id === 'me' || id === String(user.id)) return;
  throw new Problem(403, 'Not allowed', `id: this is about ${what} of user ${user.id} only`);
}

/**
 * The id of the other user in a route of `/users/{id}/friends/{friend_id}`.
 *
 * @throws Problem 404 if it cannot be an id.
 */
export function friendOf(event: HttpEvent): number {
  const text = event.pathParameters?.['friend_id'];
  const result = id.safeParse(text);
  if (result.success) return result.data;
  throw new Problem(404, 'No such user', `friend_id: there is no user ${text}`);
}
