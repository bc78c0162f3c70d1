/** Actions of the board's page in Chromium: a selection, an undone drop, a paused replay, an edit, and the audit log. */
import { describe, expect, it } from 'vitest';
import type { JobList } from '../../../runtime/board/api-job-types.ts';
import type { Groups } from '../../../runtime/board/api-types.ts';
import { deadLetters } from '../../../runtime/topology/names.ts';
import {
  boardPage,
  desktop,
  expectAccessible,
  expectNoOverflow,
  jobCard as job,
  openBoardPage,
  openGroup,
  patience,
  phone,
  picture,
  rowCount,
} from '../../support/board-page.ts';
import { publishAllDead } from '../../support/dead-letters.ts';

describe('actions on the page of the board', { timeout: 300_000 }, () => {
  const section = { deadLetterIndex: true, queues: { shop: {}, bank: {} } };
  // A slow machine must not reach the end of the grace period.
  const board = boardPage(() => openBoardPage(section, { graceMs: 3_600_000 }));

  const dead = async (error: string, number: number) => {
    const given = Array.from({ length: number }, (_, n) => ({
      id: `${error} ${n}`,
      error: `Error: ${error}`,
    }));
    await publishAllDead(board.vhost.channel, given);
    const count = async () => {
      const { groups } = await board.get<Groups>(`/api/groups?error_is=Error: ${error}`);
      return groups[0]?.count;
    };
    await expect.poll(count, patience).toBe(number);
  };
  const pauseRunning = async () => {
    const running = async () => {
      const { jobs } = await board.get<JobList>('/api/jobs');
      return jobs.find(({ state, met }) => state === 'running' && met > 0)?.id;
    };
    await expect.poll(running, { timeout: 60_000, interval: 1 }).toBeDefined();
    await board.post(`/api/jobs/${await running()}/pause`);
  };

  it('board page: a selection is replayed, and the rest of the group stays', async () => {
    await dead('selected', 5);
    const page = await board.open();
    await openGroup(page, /Error: selected/, 5);
    for (const key of ['x', 'j', 'x']) await page.keyboard.press(key);
    await page.keyboard.press('r');
    await page.getByRole('dialog').getByRole('button', { name: 'Replay 2' }).click();
    await job(page, /Replay of 2/)
      .getByText('2 replayed')
      .waitFor();
    await expect.poll(rowCount(page), patience).toBe('3');
    expect(await board.vhost.count('shop')).toBe(2);
  });

  it('board page: an undone drop deletes nothing', async () => {
    await dead('undone', 4);
    const before = await board.vhost.count(deadLetters);
    const page = await board.open();
    await openGroup(page, /Error: undone/, 4);
    await page.getByRole('button', { name: 'Drop all' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Drop 4' }).click();
    const card = job(page, /Drop of 4/);
    await card.getByText(/begins in \d+ s/).waitFor();
    await expectAccessible(page);
    await picture(page, 'board-undo-light');
    await card.getByRole('button', { name: 'Undo' }).click();
    await card.getByText('stopped, none dropped').waitFor();
    expect(await board.vhost.count(deadLetters)).toBe(before);
  });

  it('board page: a replay is paused, goes on, and replays each dead letter once', async () => {
    const [number, inQueue] = [5000, await board.vhost.count('shop')];
    await dead('paused', number);
    const page = await board.open();
    await page.getByRole('link', { name: /Error: paused/ }).click();
    await page.getByRole('button', { name: 'Replay all 5,000' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Replay 5,000' }).click();
    const card = job(page, /Replay of 5,000/);
    // A click may come after the end of the job on a slow machine.
    await pauseRunning();
    await card.getByText(/paused at/).waitFor();
    await picture(page, 'board-paused-light');
    // Later jobs do not push it out of reach.
    for (let n = 0; n < 3; n += 1)
      await board.post('/api/jobs', { action: 'replay', filter: { id: 'none' } });
    await job(page, /Replay of 0/)
      .nth(1)
      .waitFor();
    await card.getByRole('button', { name: 'Resume' }).click();
    await card.getByText('5,000 replayed').waitFor({ timeout: 180_000 });
    expect(await board.vhost.count('shop')).toBe(inQueue + number);
  });

  it('board page: an edited dead letter is replayed as a new message that names the old one', async () => {
    const body = '{"amount":"12"}';
    await publishAllDead(board.vhost.channel, [{ queue: 'bank', id: 'edited', error: 'Error: edit', body }]);
    const page = await board.open();
    await page.getByRole('link', { name: /Error: edit/ }).click();
    await page.getByRole('row').first().click();
    await page.getByRole('button', { name: 'Edit and replay' }).click();
    const editor = page.getByRole('textbox', { name: 'Body' });
    await editor.click();
    await expectAccessible(page);
    await picture(page, 'board-edit-light');
    await page.keyboard.press('Control+A');
    await page.keyboard.type('{"amount":12}');
    await page.getByRole('button', { name: 'Replay the edited message' }).click();
    await page.getByText(/^It was replayed to bank by .+ on /).waitFor();
    const { content, properties } = await board.vhost.take('bank');
    expect(content.toString()).toMatch(/^\{"amount":12\}?/);
    expect(properties.headers).toMatchObject({ 'x-warren-replaces': 'edited' });
    expect(properties.messageId).not.toBe('edited');
  });

  it('board page: the audit log lists what operators did', async () => {
    const page = await board.open(desktop, '#/audit');
    await page.getByRole('heading', { level: 1, name: 'Audit' }).waitFor();
    await expect
      .poll(() => page.getByRole('table').innerText(), patience)
      .toMatch(/replay[\s\S]*drop|drop[\s\S]*replay/);
    await expectAccessible(page);
    await picture(page, 'board-audit-light');
    const small = await board.open(phone, '#/audit');
    await small.getByRole('table').waitFor();
    await expectNoOverflow(small);
  });
});
