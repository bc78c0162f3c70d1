import { count, number } from './dom.js';

/** Friends who want no mails are not counted. In milliseconds: the wait for the first mail, and for all mails. */
const patience = { first: 60_000, all: 10_000 };

/**
 * Returns the progress of each function with a picture: `{ state, text }` for each.
 *
 * @param friends number of the owner's friends.
 * @param begun when its upload was accepted; undefined for an older picture.
 */
export function stepsOf(picture, friends, begun) {
  const { status, reason, variants = [], points, notifications = [], created_at } = picture;
  const waited = begun === undefined ? Date.now() - Date.parse(created_at) : performance.now() - begun;
  const after = begun === undefined ? '' : ` after ${(waited / 1000).toFixed(1)} s`;
  const resize = {
    ready: { state: 'done', text: `Resized to ${count(variants.length, 'rendition')}${after}` },
    failed: { state: 'failed', text: `Can’t be resized: ${reason ?? 'no reason given'}` },
    resizing: { state: 'working', text: 'Being resized' },
  };
  const told = notifications.filter((each) => each.status === 'sent').length;
  const collected = notifications.filter((each) => each.status === 'collected').length;
  const late = waited > (notifications.length > 0 ? patience.all : patience.first);
  const all = Math.max(notifications.length, late ? 0 : friends);
  const mails = () => {
    if (all === 0) return { state: 'done', text: 'Nobody to tell' };
    if (told === all) return { state: 'done', text: `${count(told, 'friend')} told` };
    if (told + collected === all) {
      const later = `${count(collected, 'friend')} to be told in a digest`;
      return { state: 'done', text: told === 0 ? later : `${count(told, 'friend')} told, ${later}` };
    }
    const text = `Told ${told} of ${count(all, 'friend')}`;
    return notifications.length > 0
      ? { state: 'working', text }
      : { state: 'waiting', text: 'Friends to be told' };
  };
  return {
    resize: resize[status] ?? { state: 'waiting', text: 'To be resized' },
    points: points
      ? { state: 'done', text: `${number.format(points)} points` }
      : { state: 'waiting', text: 'Points to be given' },
    friends: mails(),
  };
}
