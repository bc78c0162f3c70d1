/** A part of the page of the board that fails is replaced by its error, and the rest of the page works on. */
import { describe, expect, it } from 'vitest';
import {
  boardPage,
  desktop,
  expectAccessible,
  openBoardPage,
  patience,
  picture,
} from '../../support/board-page.ts';
import { publishAllDead } from '../../support/dead-letters.ts';

describe('a view of the board that fails', { timeout: 240_000 }, () => {
  const section = { deadLetterIndex: true, queues: { shop: {} } };
  const board = boardPage(
    () => openBoardPage(section),
    ({ vhost }) => publishAllDead(vhost.channel, [{ id: 'a', error: 'Error: no' }]),
  );

  it('board page, guarded: a view whose data it cannot draw is replaced by the error, and the others work on', async () => {
    const page = await board.open({ ...desktop, colorScheme: 'light' });
    const group = page.getByRole('link', { name: /Error: no/ });
    await group.waitFor();
    // A board of another version may answer in another form.
    await page.route('**/api/audit*', async (route) => {
      const json = { entries: [{ at: new Date().toISOString(), user: 'ann', action: 'drop', detail: null }] };
      await route.fulfill({ json });
    });
    await page.getByRole('link', { name: 'Audit' }).click();
    const alert = page.getByRole('alert');
    await alert.getByText('Something went wrong').waitFor();
    expect(await alert.innerText()).toMatch(/null|undefined/);
    await expectAccessible(page);
    await picture(page, 'board-guarded-light');

    // Another view is not affected, nor are the keys.
    await page.keyboard.press('1');
    await group.waitFor();
    expect(await alert.count()).toBe(0);

    await page.getByRole('link', { name: 'Audit' }).click();
    await alert.waitFor();
    await page.unroute('**/api/audit*');
    await alert.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('heading', { name: 'No action yet' }).waitFor();
    await expect.poll(() => alert.count(), patience).toBe(0);
  });
});
