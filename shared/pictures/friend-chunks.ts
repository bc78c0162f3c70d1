import * as z from 'zod';
import { id } from '../database/id.ts';
import { pictureMessage } from './message.ts';

/** Friends that one message notifies. With 2 s a mail and three mails at a time, a chunk takes 17 s. */
export const chunkSize = 25;

/** A picture for all friends of its user, or for those whose ids are in a range: the first and the last id. */
export const chunkMessage = pictureMessage.extend({ friends: z.tuple([id, id]).optional() });

/**
 * Divides friends into chunks.
 *
 * @param friends in the order of their ids.
 * @returns the first and the last id of each chunk.
 */
export function chunksOf(friends: readonly { id: number }[]): [number, number][] {
  const chunks: [number, number][] = [];
  for (let at = 0; at < friends.length; at += chunkSize) {
    const ids = friends.slice(at, at + chunkSize).map((friend) => friend.id);
    chunks.push([ids[0] ?? 0, ids.at(-1) ?? 0]);
  }
  return chunks;
}
