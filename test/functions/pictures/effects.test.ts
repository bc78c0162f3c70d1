import { afterAll, describe, expect, it } from 'vitest';
import { recordingPublisher } from 'warren/testing';
import { createHandler as createAddPoints } from '../../../functions/pictures/add-points.ts';
import { createHandler as createLog } from '../../../functions/pictures/log.ts';
import { createHandler as createNotify } from '../../../functions/pictures/notify-friends.ts';
import { readSettings } from '../../../runtime/settings/read.ts';
import { createMailer, mailSettings } from '../../../shared/delivery/mail.ts';
import { openDeps, uniqueId } from '../../support/deps.ts';
import { messageEvent } from '../../support/events.ts';
import { smtp, withFaultyServer } from '../../support/faults.ts';
import { mailsTo, sourceOf } from '../../support/mailbox.ts';
import { stack } from '../../support/stack.ts';

const deps = openDeps();
afterAll(() => deps.close());

const announcement = (given: Record<string, unknown> = {}) => {
  const image_id = uniqueId();
  return { image_id, user_id: uniqueId(), image_path: `originals/${image_id}.jpg`, ...given };
};

const entriesOf = (picture: number) =>
  deps.db
    .selectFrom('points_entries')
    .select(['user_id', 'points', 'reason'])
    .where('picture_id', '=', picture)
    .execute();

describe('add-points', () => {
  const addPoints = async (body: unknown) => {
    const publisher = recordingPublisher();
    const copies = publisher.published;
    await createAddPoints({ ...deps, publisher })(messageEvent('add-points', body));
    return copies;
  };

  it('adds points once for two concurrent deliveries', async () => {
    const body = announcement();
    expect(await Promise.all([addPoints(body), addPoints(body)])).toEqual([[], []]);
    expect(await addPoints(body)).toEqual([]);
    expect(await entriesOf(body.image_id)).toEqual([{ user_id: body.user_id, points: 10, reason: 'upload' }]);
  });

  it('accepts ids as strings of digits', async () => {
    const body = announcement();
    await addPoints({ ...body, image_id: String(body.image_id), user_id: String(body.user_id) });
    expect(await entriesOf(body.image_id)).toHaveLength(1);
  });

  it.each([
    ['image_id', -1],
    ['image_id', 0],
    ['image_id', 1.5],
    ['image_id', 2 ** 53],
    ['image_id', '99999999999999999999'],
    ['image_id', 'abc'],
    ['image_id', null],
    ['user_id', undefined],
    ['user_id', [1]],
    ['image_path', ''],
    ['image_path', 7],
    ['image_path', 'a\u0000b'],
  ])('dead-letters a message whose %s is %j, with the field in the reason', async (field, value) => {
    const copies = await addPoints(announcement({ [field]: value }));
    expect(copies).toMatchObject([{ exchange: 'warren.dead', routingKey: 'add-points' }]);
    expect(copies[0]?.headers?.['x-warren-error']).toContain(`${field}: `);
  });

  it.each(['user_id', 'image_path'])('rejects a picture that is known with another %s', async (field) => {
    const body = announcement();
    await addPoints(body);
    const copies = await addPoints({
      ...body,
      [field]: field === 'user_id' ? uniqueId() : 'originals/other.jpg',
    });
    expect(copies[0]?.headers?.['x-warren-error']).toContain(`known with another ${field}`);
    expect(await entriesOf(body.image_id)).toHaveLength(1);
  });
});

describe('log-upload', () => {
  it('keeps one row for two deliveries', async () => {
    const body = announcement();
    const log = createLog({ ...deps, publisher: recordingPublisher() });
    const event = messageEvent('log-upload', body, { messageId: 'upload-1' });
    await Promise.all([log(event), log(event)]);
    const rows = await deps.db
      .selectFrom('upload_log')
      .selectAll()
      .where('picture_id', '=', body.image_id)
      .execute();
    expect(rows).toMatchObject([
      { user_id: body.user_id, message_id: 'upload-1', image_path: body.image_path },
    ]);
  });
});

describe('notify-friends', () => {
  const makeUser = async (name: string) => {
    const id = uniqueId();
    const user = { id, name, email: `${name.toLowerCase()}-${id}@example.com` };
    await deps.db.insertInto('users').values(user).execute();
    return user;
  };
  const withFriends = async () => {
    const user = await makeUser('Ada <b>');
    const friends = [await makeUser('Grace'), await makeUser('Edsger')];
    const rows = friends.flatMap((friend) => [
      { user_id: user.id, friend_id: friend.id },
      { user_id: friend.id, friend_id: user.id },
    ]);
    await deps.db.insertInto('friendships').values(rows).execute();
    return { user, friends, body: announcement({ user_id: user.id }) };
  };
  const notify = async (body: unknown, given: Partial<typeof deps> = {}) => {
    const publisher = recordingPublisher();
    const copies = publisher.published;
    await createNotify({ ...deps, ...given, publisher })(messageEvent('notify-friends', body));
    return copies;
  };
  const mailCounts = (friends: { email: string }[]) =>
    Promise.all(friends.map(async ({ email }) => (await mailsTo(email)).length));

  /** Recipients of mails that name the picture. Tests of digests run beside this one, and may have mailed it. */
  const sentTo = async (picture: number) => {
    const sent = deps.db
      .selectFrom('picture_notices as notice')
      .innerJoin('mails', 'mails.key', 'notice.mail_key')
      .select('mails.recipient')
      .where('mails.sent_at', 'is not', null)
      .where('notice.picture_id', '=', picture)
      .orderBy('mails.recipient');
    return (await sent.execute()).map(({ recipient }) => recipient);
  };

  it('mails each friend once for repeated and concurrent deliveries', async () => {
    const { friends, body } = await withFriends();
    const copies = await Promise.all([notify(body), notify(body), notify(body)]);
    // A delivery that met a lease of another is retried, and finds nothing left to do.
    for (const copy of copies.flat()) expect(copy.routingKey).toMatch(/\.retry\.1s$/);
    expect(await notify(body)).toEqual([]);
    await expect.poll(() => mailCounts(friends)).toEqual([1, 1]);
    const rows = await deps.db
      .selectFrom('mails')
      .select('sent_at')
      .where('picture_id', '=', body.image_id)
      .execute();
    expect(rows.map(({ sent_at }) => sent_at instanceof Date)).toEqual([true, true]);
  });

  it('sends text and HTML, with the name escaped in HTML', async () => {
    const { friends, body } = await withFriends();
    await notify(body);
    const [mail] = await mailsTo(friends[0]?.email ?? '');
    expect(mail).toMatchObject({ subject: 'Ada <b> has uploaded a new picture' });
    expect(mail?.text).toContain('Ada <b> has uploaded');
    expect(mail?.html).toContain('Ada &lt;b&gt; has uploaded');
  });

  it('retries while the mail server is unavailable, and mails afterwards', async () => {
    const { friends, body } = await withFriends();
    const { mail } = readSettings({ mail: mailSettings }, { ...stack, SMTP_URL: 'smtp://127.0.0.1:9' });
    const copies = await notify(body, { mailer: createMailer(mail) });
    expect(copies).toMatchObject([{ exchange: 'warren.retry', routingKey: 'notify-friends.retry.1s' }]);
    expect(await sentTo(body.image_id)).toEqual([]);
    expect(await notify(body)).toEqual([]);
    expect((await sentTo(body.image_id)).sort()).toEqual(friends.map(({ email }) => email).sort());
    await expect.poll(() => mailCounts(friends)).toEqual([1, 1]);
  });

  it('takes over the lease of a delivery that died, with the same Message-ID as the lost mail', async () => {
    const { friends, body } = await withFriends();
    const sent: (string | undefined)[] = [];
    const failing = {
      send: async ({ messageId }: { messageId?: string }) =>
        Promise.reject(new Error(String(sent.push(messageId)))),
    };
    await notify(body, { mailer: failing });
    const held = { claimed_until: new Date(Date.now() + 60_000) };
    const keys = deps.db.selectFrom('mails').select('key').where('picture_id', '=', body.image_id);
    const claims = () => deps.db.updateTable('warren_leases').where('key', 'in', keys);
    await claims().set(held).execute();
    expect(await notify(body)).toMatchObject([
      { exchange: 'warren.retry', routingKey: expect.stringMatching(/\.retry\.1s$/) },
    ]);
    expect(await mailCounts(friends)).toEqual([0, 0]);
    await claims()
      .set({ claimed_until: new Date(Date.now() - 1000) })
      .execute();
    expect(await notify(body)).toEqual([]);
    const ids = await Promise.all(
      friends.map(async ({ email }) => (await mailsTo(email)).map(({ headers }) => headers['message-id'])),
    );
    expect(ids.flat().sort()).toEqual([...sent].sort());
  });

  const through = (port: number) => ({
    mailer: createMailer(readSettings({ mail: mailSettings }, { SMTP_URL: `smtp://127.0.0.1:${port}` }).mail),
  });

  it('mails the other friends if one address is refused', async () => {
    const { friends, body } = await withFriends();
    const [refused, fine] = friends.map(({ email }) => email);
    const RCPT = (line: string) => (line.includes(`<${refused}>`) ? '550 no such user' : '250 OK');
    const copies = await withFaultyServer(smtp({ RCPT }), (port) => notify(body, through(port)));
    // This is no outage: the message is dead-lettered after four retries.
    expect(copies).toMatchObject([
      {
        exchange: 'warren.retry',
        routingKey: expect.stringMatching(/\.retry\.1s$/),
        headers: { 'x-warren-faults': 1 },
      },
    ]);
    expect(await sentTo(body.image_id)).toEqual([fine]);
  });

  it('a mail that the server wants later is retried, whatever its answer to another mail', async () => {
    const { friends, body } = await withFriends();
    for (const greyListed of friends) {
      const RCPT = (line: string) =>
        line.includes(`<${greyListed.email}>`) ? '451 later' : '550 no such user';
      const copies = await withFaultyServer(smtp({ RCPT }), (port) => notify(body, through(port)));
      expect(copies).toMatchObject([
        {
          exchange: 'warren.retry',
          routingKey: expect.stringMatching(/\.retry\.1s$/),
          headers: { 'x-warren-faults': 0 },
        },
      ]);
    }
    expect(await sentTo(body.image_id)).toEqual([]);
  });

  it('adds no header from the name of a user', async () => {
    const { friends, body, user } = await withFriends();
    const evil = { name: 'Eve\r\nBcc: everyone@example.com\r\n\r\nbody' };
    await deps.db.updateTable('users').set(evil).where('id', '=', user.id).execute();
    expect(await notify(body)).toEqual([]);
    const [mail = await Promise.reject(new Error('no mail'))] = await mailsTo(friends[0]?.email ?? '');
    const [headers = ''] = (await sourceOf(mail)).split(/\r?\n\r?\n/);
    expect(headers).not.toMatch(/^bcc:/im);
  });

  it('friends: 3,000 of them are notified in chunks, each friend by exactly one, and no call is longer than a chunk', async () => {
    const user = await makeUser('Popular');
    const first = 2_000_000_000 + 10_000 * (uniqueId() % 100_000);
    const ids = Array.from({ length: 3000 }, (_, n) => first + n);
    const friends = ids.map((id) => ({ id, name: `F${id}`, email: `f${id}@example.com` }));
    const rows = ids.flatMap((id) => [
      { user_id: user.id, friend_id: id },
      { user_id: id, friend_id: user.id },
    ]);
    await deps.db.insertInto('users').values(friends).execute();
    await deps.db.insertInto('friendships').values(rows).execute();
    const body = announcement({ user_id: user.id });
    const chunks = await notify(body);
    expect(await sentTo(body.image_id)).toEqual([]);
    expect(chunks).toHaveLength(120);
    expect(chunks[0]).toMatchObject({ exchange: '', routingKey: 'notify-friends' });
    const ranges = chunks.map((each) => (each.body as { friends: [number, number] }).friends);
    expect(ranges.flatMap(([from, to]) => ids.filter((id) => id >= from && id <= to))).toEqual(ids);
    const [chunk] = chunks;
    for (const _twice of [1, 2]) expect(await notify(chunk?.body)).toEqual([]);
    const mailed = () => sentTo(body.image_id);
    await expect.poll(mailed, { timeout: 20_000 }).toEqual(
      friends
        .slice(0, 25)
        .map(({ email }) => email)
        .sort(),
    );
  }, 60_000);

  it('a user without friends, or without a row, causes no mail', async () => {
    for (const user_id of [(await makeUser('Alone')).id, uniqueId()]) {
      const body = announcement({ user_id });
      expect(await notify(body)).toEqual([]);
      const rows = await deps.db.selectFrom('mails').where('picture_id', '=', body.image_id).execute();
      expect(rows).toEqual([]);
    }
  });

  it("only Ada's friends of the sample get a mail", async () => {
    const body = announcement({ user_id: 1 });
    expect(await notify(body)).toEqual([]);
    expect((await sentTo(body.image_id)).sort()).toEqual([
      'barbara@example.com',
      'edsger@example.com',
      'grace@example.com',
    ]);
    const about = async (address: string) =>
      (await mailsTo(address)).filter(({ text }) => text.includes(`number ${body.image_id})`)).length;
    await expect.poll(() => about('grace@example.com')).toBe(1);
    expect(await about('tony@example.com')).toBe(0);
  });
});
