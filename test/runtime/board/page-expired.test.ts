/** The session expires exactly while something is under way on the page of the board, which goes on or is said clearly. */
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { deadLetters } from '../../../runtime/topology/names.ts';
import {
  expectAccessible,
  expectNoOverflow,
  jobCard,
  openGroup,
  patience,
  phone,
  picture,
} from '../../support/board-page.ts';
import { signInBoard } from '../../support/board-sign-in.ts';

const ids = Array.from({ length: 40 }, (_, n) => `order-${n}`);
const graceMs = 60_000;

describe('a session that expires on the page of the board', { timeout: 300_000 }, () => {
  const { board, nextToken, signIn } = signInBoard(ids, { graceMs });

  const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });
  const expired = (page: Page) => page.getByText('Your session has expired').waitFor();
  const left = () => board.vhost.count(deadLetters);
  const enter = async (page: Page) => {
    await signIn(page, 'otto');
    await openGroup(page, /TimeoutError/, await left());
  };
  /** Signs in with a token that the board is going to refuse, and opens the group. */
  const begin = async (page: Page) => {
    nextToken(25);
    await enter(page);
    nextToken(3600);
  };
  const drop = async (page: Page) => {
    await page.keyboard.press('x');
    await page.keyboard.press('d');
    await page.getByRole('dialog').getByRole('button', { name: 'Drop 1' }).click();
    await jobCard(page, /^Drop of 1/)
      .getByRole('button', { name: 'Undo' })
      .waitFor();
  };
  const note = (page: Page, text: RegExp) => page.getByRole('status').filter({ hasText: text });
  /** Lets the board see no token in the next request of this kind, as one that has just expired. */
  const refuse = (page: Page, path: RegExp, method: string) =>
    page.route(path, (route) =>
      route.request().method() === method
        ? route.continue({ headers: { ...route.request().headers(), authorization: 'Bearer expired' } })
        : route.fallback(),
    );

  it('board session: a drop that can be undone is named after the expiry, and undone after the sign-in', async () => {
    const page = await board.open(phone);
    const before = await left();
    await begin(page);
    await drop(page);
    await expired(page);
    await page.getByText(/^Drop of 1 dead letter begins at .+; sign in before that to undo it\.$/).waitFor();
    expect(await page.locator('body').innerText()).not.toMatch(/charge-card|order-/);
    await expectNoOverflow(page);
    await expectAccessible(page);
    await picture(page, 'board-phone-expired-undo');
    await button(page, 'Sign in').click();
    await jobCard(page, /^Drop of 1/)
      .getByRole('button', { name: 'Undo' })
      .click();
    await jobCard(page, /^Drop of 1/)
      .getByText('stopped, none dropped')
      .waitFor();
    expect(await left()).toBe(before);
  });

  it('board session: an undo that was refused is sent after the sign-in, with its outcome', async () => {
    const page = await board.open();
    const before = await left();
    await enter(page);
    await drop(page);
    await refuse(page, /\/api\/jobs\/[^/]+$/, 'DELETE');
    await jobCard(page, /^Drop of 1/)
      .getByRole('button', { name: 'Undo' })
      .click();
    await expired(page);
    await page.getByText('Not done yet, and kept until then: Undo of “Drop of 1 dead letter”.').waitFor();
    await page.unroute(/\/api\/jobs\/[^/]+$/);
    await button(page, 'Sign in').click();
    const outcome = note(page, /Undo of “Drop of 1 dead letter” was sent only now/);
    await outcome.getByText('Drop of 1 dead letter: stopped, none dropped.').waitFor();
    await expectAccessible(page);
    await picture(page, 'board-expired-undone-light');
    await outcome.getByRole('button', { name: 'Close' }).click();
    await outcome.waitFor({ state: 'detached' });
    expect(await left()).toBe(before);
  });

  it('board session: a job that ends while its user signs in is shown with its summary', async () => {
    const page = await board.open();
    await enter(page);
    await drop(page);
    await refuse(page, /\/api\//, 'GET');
    await expired(page);
    await page.unroute(/\/api\//);
    await expect.poll(left, { ...patience, timeout: graceMs + 30_000 }).toBe(ids.length - 1);
    await button(page, 'Sign in').click();
    await jobCard(page, /^Drop of 1/)
      .getByText('1 dropped')
      .waitFor();
    await picture(page, 'board-expired-dropped-light');
  });

  it('board session: a note of what was not done stays when the session expires again', async () => {
    const page = await board.open();
    await begin(page);
    await button(page, `Replay all ${await left()}`).click();
    await page.getByRole('textbox', { name: 'To the queue' }).fill('charge-card');
    await page.getByRole('checkbox', { name: /^One at a time/ }).check();
    await expired(page);
    nextToken(20);
    await button(page, 'Sign in').click();
    await note(page, /Replay of \d+ dead letters: not done/).waitFor();
    await page.getByRole('row').first().waitFor();
    nextToken(3600);
    await expired(page);
    await page.getByText(/^Not done yet, and kept until then: Replay of \d+ dead letters\.$/).waitFor();
    await button(page, 'Sign in').click();
    await note(page, /Replay of \d+ dead letters: not done/)
      .getByRole('button', { name: 'Continue' })
      .click();
    expect(await page.getByRole('textbox', { name: 'To the queue' }).inputValue()).toBe('charge-card');
    expect(await page.getByRole('checkbox', { name: /^One at a time/ }).isChecked()).toBe(true);
  });

  it('board session: a job that has begun when the session expires is not offered a second time', async () => {
    const page = await board.open();
    const before = await left();
    await enter(page);
    await page.keyboard.press('x');
    await page.keyboard.press('r');
    // The page asks for the jobs as soon as the board has begun the new one.
    await refuse(page, /\/api\/(jobs|letters|groups)/, 'GET');
    await page.getByRole('dialog').getByRole('button', { name: 'Replay 1' }).click();
    await expired(page);
    await expect.poll(left, patience).toBe(before - 1);
    expect(await page.getByText(/Not done yet/).count()).toBe(0);
    await page.unrouteAll();
    await button(page, 'Sign in').click();
    await jobCard(page, /^Replay of 1/)
      .getByText('1 replayed')
      .waitFor();
    expect(await page.getByText('not done').count()).toBe(0);
  });

  it('board session: the queue, the type and the headers of an edit are kept as well', async () => {
    const page = await board.open();
    await begin(page);
    await page.getByRole('row').first().click();
    await button(page, 'Edit and replay').click();
    await page.getByRole('textbox', { name: 'Queue' }).fill('other');
    await page.getByRole('textbox', { name: 'Content type' }).fill('application/json');
    await page.getByText('Headers', { exact: true }).last().click();
    await page.getByRole('textbox', { name: 'Headers as JSON' }).fill('{"tenant":"a"}');
    await expired(page);
    await button(page, 'Sign in').click();
    await note(page, /Edited replay of order-\d+: not done/)
      .getByRole('button', { name: 'Continue' })
      .click();
    const dialog = page.getByRole('dialog', { name: 'Edit and replay' });
    await dialog.waitFor();
    const values = [];
    for (const name of ['Queue', 'Content type'])
      values.push(await dialog.getByRole('textbox', { name }).inputValue());
    expect(values).toEqual(['other', 'application/json']);
    expect(await dialog.getByLabel('Headers as JSON').inputValue()).toBe('{"tenant":"a"}');
  });
});
