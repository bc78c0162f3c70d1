import { count, number } from './dom.js';

/** Milliseconds after which nothing more is expected: an older picture has no time of its notifications. */
const patience = 60_000;

/**
 * Returns the progress of each function with a picture: `{ state, text }` for each.
 *
 * @param friends number of the owner's friends.
 * @param begun when its upload was accepted; undefined for an older picture.
 */
export function stepsOf(picture, friends, begun) {
  const { status, reason, variants = [], points, friends_notified_at, created_at } = picture;
  const waited = begun === undefined ? Date.now() - Date.parse(created_at) : performance.now() - begun;
  const after = begun === undefined ? '' : ` after ${(waited / 1000).toFixed(1)} s`;
  const resize = {
    ready: { state: 'done', text: `Resized to ${count(variants.length, 'rendition')}${after}` },
    failed: { state: 'failed', text: 'Can’t be resized', reason: reason ?? 'No reason is known' },
    resizing: { state: 'working', text: 'Being resized' },
  };
  const notified = friends_notified_at || waited > patience;
  return {
    resize: resize[status] ?? { state: 'waiting', text: 'To be resized' },
    points: points
      ? { state: 'done', text: `${number.format(points)} points` }
      : { state: 'waiting', text: 'Points to be given' },
    friends: notified
      ? { state: 'done', text: friends === 0 ? 'Nobody to tell' : `${count(friends, 'friend')} told` }
      : { state: 'waiting', text: 'Friends to be told' },
  };
}
