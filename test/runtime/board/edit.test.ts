import { describe, expect, it } from 'vitest';
import type { EditedReplay, EditedReplayed } from '../../../runtime/board/api-job-types.ts';
import type { Letter, Letters } from '../../../runtime/board/api-types.ts';
import { deadLetters } from '../../../runtime/topology/names.ts';
import { boardApi } from '../../support/board-api.ts';
import { type GivenDeadLetter, publishAllDead } from '../../support/dead-letters.ts';

const board = boardApi();

/** Publishes a dead letter, and returns it as the board shows it. */
const dead = async (given: GivenDeadLetter): Promise<Letter> => {
  await publishAllDead(board.vhost.channel, [given]);
  const page = async () =>
    ((await (await fetch(`${board.base}/letters`)).json()) as Partial<Letters>).letters ?? [];
  const find = async () => (await page()).find(({ id }) => id === given.id)?.offset;
  await expect.poll(find, { timeout: 20_000 }).toBeDefined();
  return (await (await fetch(`${board.base}/letters/${await find()}`)).json()) as Letter;
};
const base64 = (text: string) => Buffer.from(text).toString('base64');
const edit = async ({ offset }: Pick<Letter, 'offset'>, body: EditedReplay) => {
  const headers = { 'content-type': 'application/json', 'x-warren-board': '1' };
  const options = { method: 'POST', headers, body: JSON.stringify(body) };
  const response = await fetch(`${board.base}/letters/${offset}/replay`, options);
  return { status: response.status, body: (await response.json()) as EditedReplayed & { detail?: string } };
};

describe('an edited replay', () => {
  it('edit: the new message has another id and body, names the old one, keeps the other headers with their types, and the dead letter is gone', async () => {
    const time = { '!': 'timestamp', value: 1_700_000_000 };
    const letter = await dead({ id: 'old', headers: { order: 'a', amount: 7, placed: time, note: 'x' } });
    const { note, ...headers } = letter.headers;
    expect(note).toBe('x');
    const given = { body: base64('{"a":2}'), headers: { ...headers, order: 'b', extra: 'y' } };
    const { status, body } = await edit(letter, given);
    expect([status, body.replaces]).toEqual([201, 'old']);
    const { content, properties } = await board.vhost.take('shop');
    expect(content.toString()).toBe('{"a":2}');
    expect([properties.messageId, body.message_id === 'old']).toEqual([body.message_id, false]);
    expect(properties.headers).toMatchObject({ order: 'b', amount: 7, extra: 'y', placed: time });
    expect(properties.headers).toHaveProperty('x-warren-replaces', 'old');
    for (const name of ['note', 'x-warren-error', 'x-warren-reason'])
      expect(properties.headers).not.toHaveProperty(name);
    expect(await board.vhost.count(deadLetters)).toBe(0);
    expect((await edit(letter, given)).status).toBe(404);
  });

  it('edit: without headers the old ones stay, and another queue and media type are taken', async () => {
    const letter = await dead({ id: 'kept', headers: { order: 'a' } });
    expect(
      (await edit(letter, { body: base64('text'), to: 'bank', content_type: 'text/plain' })).status,
    ).toBe(201);
    const { properties } = await board.vhost.take('bank');
    expect(properties).toMatchObject({ contentType: 'text/plain', headers: { order: 'a' } });
  });

  it('edit: one for a queue that is gone, or with a header that cannot be written, leaves the dead letter', async () => {
    const letter = await dead({ id: 'stays' });
    expect(await edit(letter, { body: '', to: 'no-such-queue' })).toMatchObject({ status: 409 });
    const refused = await edit(letter, { body: '', headers: { flag: true } });
    expect(refused).toMatchObject({ status: 400, body: { detail: expect.stringContaining('headers.flag') } });
    expect((await edit(letter, { body: 'no base64!' })).status).toBe(400);
    expect(await board.vhost.count(deadLetters)).toBe(1);
  });
});
