import { sql } from 'kysely';
import { afterAll, describe, expect, it } from 'vitest';
import { recordingPublisher } from 'warren/testing';
import { createHandler as createNotify } from '../../../functions/pictures/notify-friends.ts';
import { createHandler as createSend } from '../../../functions/pictures/send-digests.ts';
import { openDeps, uniqueId } from '../../support/deps.ts';
import { messageEvent } from '../../support/events.ts';
import { mailsTo } from '../../support/mailbox.ts';

const deps = openDeps();
const { db } = deps;
afterAll(() => deps.close());

const digest = { perDay: 3, interval: 900 };

const people = async () => {
  const [owner, friend] = ['Ada', 'Grace'].map((name) => {
    const id = uniqueId();
    return { id, name, email: `${name.toLowerCase()}-${id}@example.com` };
  }) as [{ id: number; name: string; email: string }, { id: number; name: string; email: string }];
  await db.insertInto('users').values([owner, friend]).execute();
  const rows = [
    { user_id: owner.id, friend_id: friend.id },
    { user_id: friend.id, friend_id: owner.id },
  ];
  await db.insertInto('friendships').values(rows).execute();
  return { owner, friend };
};

const announcement = (user_id: number) => {
  const image_id = uniqueId();
  return { image_id, user_id, image_path: `originals/${image_id}.jpg` };
};

const publisher = recordingPublisher();
const copies = publisher.published;
const notify = (body: unknown, given: Partial<typeof deps> = {}) =>
  createNotify({ ...deps, digest, ...given, publisher })(messageEvent('notify-friends', body));
const sendDigests = (given: Partial<typeof deps> = {}) =>
  createSend({ ...deps, digest, olderThan: 0, ...given })();

/** Lets time pass for the mails of a recipient. */
const pass = (userId: number, seconds: number) =>
  db
    .updateTable('mails')
    .set({ made_at: sql<Date>`made_at - ${seconds} * interval '1 second'` })
    .where('user_id', '=', userId)
    .execute();

const named = async (address: string) => {
  const mails = await mailsTo(address);
  const numbers = mails.map(({ text }) => [...text.matchAll(/number (\d+)\)/g)].map(([, id]) => Number(id)));
  return { mails, numbers };
};
const sorted = (ids: readonly number[]) => ids.toSorted((one, other) => one - other);

describe('mails to friends', () => {
  it('digest: 200 pictures of a friend are one mail and digests within the cap, and each is named once', async () => {
    const { owner, friend } = await people();
    const pictures = Array.from({ length: 200 }, () => announcement(owner.id));
    const ids = pictures.map(({ image_id }) => image_id);
    const [first, others, late] = [pictures[0], pictures.slice(1, 181), pictures.slice(181)];
    await notify(first);
    await expect.poll(async () => (await named(friend.email)).numbers).toEqual([[first?.image_id]]);
    for (let at = 0; at < others.length; at += 20) {
      await Promise.all(others.slice(at, at + 20).flatMap((body) => [notify(body), notify(body)]));
      if (at % 80 === 0) await pass(friend.id, 600);
      // Two runs at the same moment.
      await Promise.all([sendDigests(), sendDigests()].map((run) => run.catch(() => undefined)));
    }
    await pass(friend.id, 7200);
    await sendDigests();
    await expect.poll(async () => (await named(friend.email)).mails.length).toBe(digest.perDay);
    // The cap is reached: nothing more today.
    for (const body of late) await notify(body);
    await pass(friend.id, 7200);
    await sendDigests();
    expect((await named(friend.email)).mails).toHaveLength(digest.perDay);
    await pass(friend.id, 86_400);
    await sendDigests();
    await expect.poll(async () => sorted((await named(friend.email)).numbers.flat())).toEqual(sorted(ids));
    const { mails } = await named(friend.email);
    expect(mails).toHaveLength(digest.perDay + 1);
    expect(mails.at(-1)?.subject).toMatch(/^Ada has uploaded \d+ new pictures$/);
    expect(copies.filter(({ exchange }) => exchange === 'warren.dead')).toEqual([]);
  }, 120_000);

  it('digest: a mail whose function died is sent by the schedule, once', async () => {
    const { owner, friend } = await people();
    const body = announcement(owner.id);
    const dying = { send: async () => Promise.reject(new Error('the process died')) };
    await notify(body, { mailer: dying });
    expect((await named(friend.email)).mails).toEqual([]);
    await expect
      .poll(async () => {
        await sendDigests();
        return (await named(friend.email)).numbers;
      })
      .toEqual([[body.image_id]]);
    await notify(body);
    await sendDigests();
    expect((await named(friend.email)).numbers).toEqual([[body.image_id]]);
  });

  it('digest: collected pictures that are deleted, or of a user who is no friend any more, are not named', async () => {
    const { owner, friend } = await people();
    const [first, deleted, kept] = [1, 2, 3].map(() => announcement(owner.id));
    for (const body of [first, deleted, kept]) await notify(body);
    await db
      .updateTable('pictures')
      .set({ deleted_at: new Date() })
      .where('id', '=', deleted?.image_id ?? 0)
      .execute();
    await pass(friend.id, 900);
    await sendDigests();
    await expect
      .poll(async () => (await named(friend.email)).numbers)
      .toEqual([[first?.image_id], [kept?.image_id]]);
    await notify(announcement(owner.id));
    await db.deleteFrom('friendships').where('user_id', '=', friend.id).execute();
    await pass(friend.id, 900);
    await sendDigests();
    expect((await named(friend.email)).mails).toHaveLength(2);
  });
});
