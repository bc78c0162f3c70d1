/** The dead letters that are gone, on the page of the board: what happened to each, when, and by whom. */
import { userInfo } from 'node:os';
import { describe, expect, it } from 'vitest';
import type { Job } from '../../../runtime/board/api-job-types.ts';
import type { GoneLetters, LetterSummary } from '../../../runtime/board/api-types.ts';
import { replayDeadLetters } from '../../../runtime/dead-letters/replay.ts';
import {
  boardPage,
  desktop,
  expectAccessible,
  expectNoOverflow,
  openBoardPage,
  patience,
  phone,
  picture,
} from '../../support/board-page.ts';
import { publishAllDead } from '../../support/dead-letters.ts';

const total = 120;
const me = userInfo().username;

describe('gone dead letters on the page of the board', { timeout: 300_000 }, () => {
  const section = { deadLetterIndex: true, queues: { shop: {}, bank: {} } };
  const board = boardPage(() => openBoardPage(section, { graceMs: 0 }));
  const { get, post } = board;
  const act = async (job: object) => {
    const { id } = await post<Job>('/api/jobs', job);
    await expect.poll(async () => (await get<Job>(`/api/jobs/${id}`)).state, patience).toBe('done');
  };

  it('board page, gone: before the first one it states that there is none', async () => {
    const page = await board.open();
    await page.getByRole('link', { name: /^Gone/ }).click();
    await page.getByRole('heading', { name: 'None yet' }).waitFor();
  });

  it('board page, gone: a replayed, an edited and a dropped one have what happened, when and by whom, in pages', async () => {
    const given = Array.from({ length: total }, (_, n) => ({
      id: `m${n}`,
      error: `Error: ${n % 2 ? 'odd' : 'even'}`,
    }));
    await publishAllDead(board.vhost.channel, given);
    await expect.poll(async () => (await get<{ total?: number }>('/api/groups')).total, patience).toBe(total);
    const { letters } = await get<{ letters: LetterSummary[] }>('/api/letters?limit=200');
    const offsetOf = (id: string) => letters.find((each) => each.id === id)?.offset ?? -1;
    await act({ action: 'drop', filter: { error_is: 'Error: odd' } });
    await act({ action: 'replay', filter: { id: 'm0' }, to: 'bank' });
    await act({ action: 'replay', filter: { id: 'm2' } });
    await post(`/api/letters/${offsetOf('m4')}/replay`, {
      body: Buffer.from('{}').toString('base64'),
      to: 'bank',
    });
    // Without the board.
    await replayDeadLetters(board.vhost.url, { id: 'm6' });
    const ends = async () => (await get<GoneLetters>('/api/gone?limit=4')).letters.map(({ id }) => id);
    await expect.poll(ends, patience).toEqual(['m6', 'm4', 'm2', 'm0']);

    const page = await board.open({ ...desktop, colorScheme: 'light' }, '#/gone');
    const row = (id: string) =>
      page.getByRole('row').filter({ has: page.getByRole('link', { name: id, exact: true }) });
    await expect
      .poll(() => row('m0').innerText(), patience)
      .toMatch(new RegExp(`replayed to\\s+bank\\s+${me}\\s+m0`));
    expect(await row('m2').innerText()).toMatch(new RegExp(`replayed to\\s+shop\\s+${me}\\s+m2`));
    expect(await row('m4').innerText()).toMatch(new RegExp(`replayed to\\s+bank\\s+${me}\\s+m4`));
    expect(await row('m6').innerText()).toMatch(/replayed to\s+shop\s+unknown\s+m6/);
    await row('m119').waitFor({ state: 'visible' });
    expect(await row('m119').innerText()).toMatch(new RegExp(`dropped\\s+${me}\\s+m119`));
    expect(await page.getByRole('row').count()).toBe(51);
    await expectAccessible(page);
    await picture(page, 'board-gone-light');
    await page.getByRole('button', { name: 'Load older ones' }).click();
    await expect.poll(() => page.getByRole('row').count(), patience).toBe(65);
    await expect.poll(() => page.getByRole('button', { name: 'Load older ones' }).count(), patience).toBe(0);

    await row('m0').getByRole('link').click();
    await page.getByText(`It was replayed to bank by ${me} on`).waitFor();
    expect(await page.getByRole('button', { name: 'Drop' }).count()).toBe(0);
    await page.keyboard.press('Escape');
    await row('m119').getByRole('link').click();
    await page.getByText(`It was dropped by ${me} on`).waitFor();
  });

  it('board page, gone: a phone of 360 px shows the list without scrolling to the side', async () => {
    const page = await board.open({ ...phone, colorScheme: 'dark' }, '#/gone');
    await page.getByRole('link', { name: 'm119', exact: true }).waitFor();
    await expectNoOverflow(page);
    await expectAccessible(page);
    await picture(page, 'board-phone-gone');
  });
});
