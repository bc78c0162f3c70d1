import { afterAll, describe, expect, it } from 'vitest';
import { problemsOf } from '../../../runtime/base/schema-problems.ts';
import { id } from '../../../shared/database/id.ts';
import { pictureMessage } from '../../../shared/pictures/message.ts';
import { ensurePicture } from '../../../shared/pictures/picture.ts';
import { openDeps, uniqueId } from '../../support/deps.ts';

const problems = (schema: typeof id | typeof pictureMessage, value: unknown) => {
  const { success, error } = schema.safeParse(value);
  return success ? [] : problemsOf(error);
};

describe('an id', () => {
  it.each([
    [1, 1],
    [2 ** 53 - 1, 2 ** 53 - 1],
    ['1', 1],
    ['9007199254740991', 2 ** 53 - 1],
    ['0042', 42],
    [6543.0, 6543],
  ])('may be %j', (value, expected) => {
    expect(id.parse(value)).toBe(expected);
  });

  it.each<unknown>([
    ...[0, -1, 1.5, 2 ** 53, 1e21, Number.NaN, Number.POSITIVE_INFINITY, -0],
    ...['0', '-1', '1.5', '9007199254740992', '99999999999999999999', '1e3', '0x10', ' 1', '', '١', 'abc'],
    ...[null, undefined, true, [], [1], {}, { valueOf: 1 }],
  ])('may not be %j', (value) => {
    expect(problems(id, value)).toEqual([
      expect.stringMatching(/^expected an integer from 1 to 2\^53-1, got ./),
    ]);
  });

  it('is not repeated at any length', () => {
    expect(problems(id, 'x'.repeat(100_000))[0]?.length).toBeLessThan(100);
  });
});

describe("a picture's message", () => {
  const message = { image_id: 123456, user_id: 6543, image_path: 'originals/123456.jpg' };

  it('a message of any AMQP client is read, without its further fields', () => {
    expect(pictureMessage.parse({ ...message, colour: 'red' })).toEqual(message);
  });

  it('names every field that is wrong', () => {
    const found = problems(pictureMessage, { image_id: -5, user_id: null });
    expect(found).toEqual([
      expect.stringMatching(/^image_id: .*got -5$/),
      expect.stringMatching(/^user_id: .*got null$/),
      expect.stringMatching(/^image_path: expected the key/),
    ]);
  });

  it.each(['', 'a\nb', 'a\u0000', '\u007f', 'x'.repeat(1025), 7, null, ['a']])(
    'has no path such as %j',
    (image_path) => {
      const found = problems(pictureMessage, { ...message, image_path });
      expect(found[0]).toMatch(/^image_path: /);
    },
  );

  it.each(['a', 'a b/ü.jpg', '../../etc/passwd', 'x'.repeat(1024)])('may have the path %j', (image_path) => {
    expect(problems(pictureMessage, { ...message, image_path })).toEqual([]);
  });

  it.each([7, 'text', null, [], [message]])('is not %j', (value) => {
    expect(problems(pictureMessage, value).length).toBeGreaterThan(0);
  });
});

describe('ensurePicture', () => {
  const { db, close } = openDeps();
  afterAll(() => close());

  const announce = (given = {}) => {
    const image_id = uniqueId();
    return { image_id, user_id: uniqueId(), image_path: `originals/${image_id}.jpg`, ...given };
  };
  const rowOf = (picture: number) =>
    db.selectFrom('pictures').selectAll().where('id', '=', picture).executeTakeFirst();

  it('makes a row for a picture from elsewhere, once for ten at the same moment', async () => {
    const message = announce();
    await Promise.all(Array.from({ length: 10 }, () => ensurePicture(db, message)));
    expect(await rowOf(message.image_id)).toMatchObject({
      ...{ user_id: message.user_id, image_path: message.image_path, status: 'uploaded', reason: null },
      // Or it would be announced once more.
      announced_at: expect.any(Date),
    });
  });

  it('leaves a row that is there as it is', async () => {
    const message = announce();
    await ensurePicture(db, message);
    const ready = { status: 'ready', width: 4 } as const;
    await db.updateTable('pictures').set(ready).where('id', '=', message.image_id).execute();
    const before = await rowOf(message.image_id);
    await ensurePicture(db, message);
    expect(await rowOf(message.image_id)).toEqual(before);
  });

  it('a picture that was deleted has nothing left to do', async () => {
    const message = announce();
    expect(await ensurePicture(db, message)).toBe('there');
    const deleted = { deleted_at: new Date() };
    await db.updateTable('pictures').set(deleted).where('id', '=', message.image_id).execute();
    expect(await ensurePicture(db, message)).toBe('deleted');
  });

  it.each([
    [{ user_id: 1 }, 'user_id'],
    [{ image_path: 'originals/other.jpg' }, 'image_path'],
    [{ user_id: 1, image_path: 'originals/other.jpg' }, 'user_id and image_path'],
  ])('refuses a message that contradicts the row with %j, and changes nothing', async (other, fields) => {
    const message = announce();
    await ensurePicture(db, message);
    await expect(ensurePicture(db, { ...message, ...other })).rejects.toMatchObject({
      code: 'ERR_REJECTED',
      message: `picture ${message.image_id} is known with another ${fields}`,
    });
    expect(await rowOf(message.image_id)).toMatchObject({
      ...{ user_id: message.user_id, image_path: message.image_path },
    });
  });

  it('lets one of two that contradict each other have its way', async () => {
    const one = announce();
    const other = { ...one, user_id: one.user_id + 1 };
    const results = await Promise.allSettled([ensurePicture(db, one), ensurePicture(db, other)]);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });
});
