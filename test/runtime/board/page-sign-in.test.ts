/** The page of the board signs in at `oidc-provider` in Chromium, as a viewer, as an operator and as a user without a role. */
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { deadLetters } from '../../../runtime/topology/names.ts';
import {
  desktop,
  expectAccessible,
  expectNoOverflow,
  openGroup,
  patience,
  phone,
  picture,
  rowCount,
} from '../../support/board-page.ts';
import { signInBoard } from '../../support/board-sign-in.ts';
import { signInAt } from '../../support/oidc.ts';

describe('the sign-in on the page of the board', { timeout: 300_000 }, () => {
  const { board, nextToken, signIn } = signInBoard(['order-1', 'order-2', 'order-3'], { graceMs: 3_600_000 });

  const error = /TimeoutError/;
  const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });
  /** Waits until the board refuses the token of the page. */
  const expires = (page: Page) => page.getByText('Your session has expired').waitFor();
  /** Requests that the browser sends with a token, and the token. */
  const tokenOf = async (page: Page, begin: () => Promise<void>) => {
    const request = page.waitForRequest(
      (each) => each.url().includes('/api/groups') && 'authorization' in each.headers(),
    );
    await begin();
    return (await request).headers()['authorization'] ?? '';
  };
  const act = (authorization: string, path: string, body: object) =>
    fetch(`${board.base}/api/${path}`, {
      method: 'POST',
      headers: { authorization, 'x-warren-board': '1', 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });

  it.each(['light', 'dark'] as const)(
    'board sign-in: a user without a token sees only the way to sign in, %s',
    async (colorScheme) => {
      const page = await board.open({ ...desktop, colorScheme });
      await button(page, 'Sign in').waitFor();
      expect(await page.locator('body').innerText()).not.toMatch(/charge-card|dead letters \d|RabbitMQ/i);
      await expectAccessible(page);
      await picture(page, `board-sign-in-${colorScheme}`);
    },
  );

  it('board sign-in: a viewer reads all and finds no button that acts, and the board refuses the actions as well', async () => {
    const page = await board.open();
    const token = await tokenOf(page, () => signIn(page, 'vera'));
    await openGroup(page, error, 3);
    expect(await page.getByRole('banner').innerText()).toMatch(/vera@example\.com\s+viewer/);
    const acting = page.getByRole('button', { name: /replay|drop|edit/i });
    const boxes = page.getByRole('checkbox');
    expect([await acting.count(), await boxes.count()]).toEqual([0, 0]);
    for (const key of ['x', 'r', 'd']) await page.keyboard.press(key);
    expect(await page.getByRole('dialog').count()).toBe(0);
    await picture(page, 'board-viewer-light');
    await page.getByRole('row').first().click();
    await page.getByRole('heading', { name: 'Story' }).waitFor();
    expect(await acting.count()).toBe(0);
    await page.keyboard.press('e');
    expect(await page.getByRole('dialog').count()).toBe(0);
    await expectAccessible(page);
    for (const action of ['replay', 'drop'])
      expect((await act(token, 'jobs', { action, filter: {} })).status).toBe(403);
    const edit = { body: '', content_type: 'text/plain', headers: {} };
    expect((await act(token, 'letters/0/replay', edit)).status).toBe(403);
    expect(await board.vhost.count(deadLetters)).toBe(3);
    // The address, the storage and the cookies of the page have neither the code nor the token.
    expect(new URL(page.url()).search).toBe('');
    expect(await page.evaluate('JSON.stringify({ ...sessionStorage, ...localStorage })')).toBe('{}');
    expect(await page.evaluate('document.cookie')).toBe('');
  });

  it('board sign-in: an operator replays, the audit log names the person, and a sign-out forgets the token', async () => {
    const page = await board.open();
    await signIn(page, 'otto');
    await openGroup(page, error, 3);
    for (const key of ['x', 'r']) await page.keyboard.press(key);
    await page.getByRole('dialog').getByRole('button', { name: 'Replay 1' }).click();
    await page.getByText('1 replayed').first().waitFor();
    expect(await board.vhost.count('charge-card')).toBe(1);
    await page.getByRole('link', { name: 'Audit' }).click();
    const entries = page.getByRole('row').filter({ hasText: 'otto@example.com' });
    await expect.poll(() => entries.count(), patience).toBe(2);
    expect(await entries.allInnerTexts()).toEqual([
      expect.stringMatching(/done/),
      expect.stringMatching(/replay/),
    ]);
    await picture(page, 'board-operator-audit-light');

    await button(page, 'Sign out').click();
    await page.getByText('You have signed out').waitFor();
    await page.getByRole('link', { name: /^Sign out at 127\.0\.0\.1:\d+ as well$/ }).waitFor();
    await expectAccessible(page);
    await picture(page, 'board-signed-out-light');
    expect(await page.locator('body').innerText()).not.toMatch(/charge-card|otto/);
    // The issuer still knows its user, and asks for a login all the same.
    await signIn(page, 'vera');
    await page.getByRole('banner').getByText('vera@example.com').waitFor();
  });

  it('board sign-in: a user without a role sees who grants one, and can sign in as another user', async () => {
    const page = await board.open(phone);
    await signIn(page, 'gil');
    await page.getByRole('alert').filter({ hasText: 'gil@example.com has no role on this board' }).waitFor();
    await expectNoOverflow(page);
    await expectAccessible(page);
    await picture(page, 'board-phone-no-role');
    await button(page, 'Sign in as another user').click();
    await signInAt(page, 'vera');
    await page.getByRole('link', { name: /TimeoutError/ }).waitFor();
    await expectNoOverflow(page);
    await picture(page, 'board-phone-viewer');
  });

  it('board sign-in: when the session expires, a replay that was begun is offered again at the same place', async () => {
    nextToken(25);
    const left = await board.vhost.count(deadLetters);
    const page = await board.open({ ...desktop, colorScheme: 'light' });
    await signIn(page, 'otto');
    await openGroup(page, error, left);
    nextToken(3600);
    const place = page.url();
    await page.getByRole('button', { name: `Replay all ${left}` }).click();
    await page.getByRole('textbox', { name: 'To the queue' }).fill('charge-card');
    await expires(page);
    await page.getByText(`Not done yet, and kept until then: Replay of ${left} dead letters.`).waitFor();
    expect(await page.locator('body').innerText()).not.toMatch(/charge-card|order-/);
    await expectAccessible(page);
    await picture(page, 'board-expired-light');
    // The issuer still knows the user.
    await button(page, 'Sign in').click();
    const note = page.getByRole('status').filter({ hasText: `Replay of ${left} dead letters: not done.` });
    await note.waitFor();
    await expect.poll(rowCount(page), patience).toBe(String(left));
    expect(page.url()).toBe(place);
    expect(await page.evaluate('JSON.stringify({ ...sessionStorage, ...localStorage })')).toBe('{}');
    await expectAccessible(page);
    await picture(page, 'board-unsent-light');
    await note.getByRole('button', { name: 'Continue' }).click();
    const dialog = page.getByRole('dialog', { name: `Replay ${left} dead letters?` });
    expect(await dialog.getByRole('textbox', { name: 'To the queue' }).inputValue()).toBe('charge-card');
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await note.waitFor({ state: 'detached' });
    expect(await board.vhost.count(deadLetters)).toBe(left);
  });

  it('board sign-in: when the session expires, an edited body is kept for its user, and not for another one', async () => {
    const edit = async (page: Page) => {
      nextToken(25);
      await signIn(page, 'otto');
      await openGroup(page, error, await board.vhost.count(deadLetters));
      nextToken(3600);
      await page.getByRole('row').first().click();
      await page.getByRole('button', { name: 'Edit and replay' }).click();
      await page.getByRole('textbox', { name: 'Body' }).click();
      await page.keyboard.press('Control+A');
      await page.keyboard.type('{"amount":12}');
      await expires(page);
    };
    const page = await board.open();
    await edit(page);
    await button(page, 'Sign in').click();
    const note = page.getByRole('status').filter({ hasText: /Edited replay of order-\d: not done/ });
    await note.getByRole('button', { name: 'Continue' }).click();
    const body = page.getByRole('textbox', { name: 'Body' });
    await expect.poll(() => body.innerText(), patience).toMatch(/^\{\s*"amount": ?12\s*\}/);
    await picture(page, 'board-unsent-edit-light');

    const other = await board.open();
    await edit(other);
    await other.context().clearCookies();
    await signIn(other, 'vera');
    await other.getByRole('banner').getByText('vera@example.com').waitFor();
    await other.getByRole('heading', { name: 'Story' }).waitFor();
    expect(await other.getByText('not done').count()).toBe(0);
    expect(await other.evaluate('JSON.stringify({ ...sessionStorage, ...localStorage })')).toBe('{}');
  });
});
