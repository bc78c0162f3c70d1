import { afterAll, describe, expect, it } from 'vitest';
import { httpEvent, recordingPublisher } from 'warren/testing';
import { createHandler as createGet } from '../../../functions/pictures/get.ts';
import { createHandler as createNotify } from '../../../functions/pictures/notify-friends.ts';
import { openDeps, uniqueId } from '../../support/deps.ts';
import { context, messageEvent } from '../../support/events.ts';
import { mailsTo } from '../../support/mailbox.ts';

const deps = openDeps();
const { db } = deps;
afterAll(() => deps.close());

/** Announces a picture to the only friend of its owner, and returns what the owner sees before and after that. */
async function announced(friend: { email: string | null; picture_mails: boolean }) {
  const [owner, other, id] = [uniqueId(), uniqueId(), uniqueId()];
  await db
    .insertInto('users')
    .values([
      { id: owner, name: 'Ada', email: null },
      { id: other, name: 'Grace', ...friend },
    ])
    .execute();
  await db
    .insertInto('friendships')
    .values([
      { user_id: owner, friend_id: other },
      { user_id: other, friend_id: owner },
    ])
    .execute();
  const body = { image_id: id, user_id: owner, image_path: `originals/${id}.jpg` };
  await db.insertInto('pictures').values({ id, user_id: owner, image_path: body.image_path }).execute();
  const notify = createNotify({
    ...deps,
    digest: { perDay: 3, interval: 900 },
    publisher: recordingPublisher(),
  });
  const get = createGet({
    ...deps,
    authenticate: async () => ({ id: owner, key: String(owner), scopes: new Set() }),
  });
  const seen = async () => {
    const reply = await get(httpEvent({ parameters: { id: String(id) } }), context);
    const {
      image_id: _id,
      user_id: _user,
      ...rest
    } = JSON.parse(String(reply.body)) as Record<string, unknown>;
    return rest;
  };
  const before = await seen();
  await notify(messageEvent('notify-friends', body));
  return { before, after: await seen() };
}

describe('what the owner of a picture learns of friends', () => {
  it('is the same for a friend who gets a mail, who has unsubscribed, and who has no address', async () => {
    const [email, unsubscribed] = [`${uniqueId()}@example.com`, `${uniqueId()}@example.com`];
    const time = expect.any(String);
    const times = { created_at: time, updated_at: time };
    const { before, after } = await announced({ email, picture_mails: true });
    expect(before).toMatchObject({ ...times, friends_notified_at: null });
    const shown = { ...after, ...times, friends_notified_at: time };
    expect(after).toEqual(shown);
    expect((await announced({ email: unsubscribed, picture_mails: false })).after).toEqual(shown);
    expect((await announced({ email: null, picture_mails: true })).after).toEqual(shown);
    expect(await mailsTo(email)).toHaveLength(1);
    expect(await mailsTo(unsubscribed)).toEqual([]);
  });
});
