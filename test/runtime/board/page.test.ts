/** The page of the board in Chromium, with 10,000 dead letters on a real broker. */
import type { Page } from 'playwright-core';
import { describe, expect, it, vi } from 'vitest';
import type { Groups } from '../../../runtime/board/api-types.ts';
import { deadLetters } from '../../../runtime/topology/names.ts';
import {
  type BoardPage,
  boardPage,
  desktop,
  expectAccessible,
  expectNoOverflow,
  jobCard,
  openBoardPage,
  patience,
  phone,
  picture,
  rowCount,
} from '../../support/board-page.ts';
import { publishShop, shopSection, shopTotal } from '../../support/shop-letters.ts';

const card = 'TimeoutError: the payment gateway did not answer within 5 s';

describe('the page of the board, in Chromium', { timeout: 300_000 }, () => {
  const prepare = async ({ vhost, get }: BoardPage) => {
    await publishShop(vhost);
    const total = async () => (await get<Groups>('/api/groups')).total;
    await vi.waitFor(async () => expect(await total()).toBe(shopTotal), patience);
  };
  const board = boardPage(() => openBoardPage(shopSection), prepare);

  const groupLinks = (page: Page) => page.getByRole('region', { name: 'Dead letters' }).getByRole('listitem');
  const group = (page: Page, name: string) => groupLinks(page).filter({ hasText: name }).getByRole('link');
  const list = (page: Page) => page.getByRole('grid');
  const row = (page: Page, index: number) => list(page).locator(`[aria-rowindex="${index}"]`);

  it('board page: 10,000 dead letters are in groups and in one list, which draws only the rows that are visible', async () => {
    const page = await board.open();
    await expect.poll(() => groupLinks(page).count(), patience).toBe(6);
    expect(await groupLinks(page).first().innerText()).toMatch(/6,310[\s\S]*TimeoutError[\s\S]*charge-card/);
    await groupLinks(page).last().getByRole('link').click();
    await expect.poll(rowCount(page), patience).toBe('10000');
    expect(await page.getByRole('row').count()).toBeLessThan(60);
    await page.keyboard.press('End');
    await row(page, 10_000).waitFor();
    await expect.poll(() => page.evaluate('document.activeElement.ariaRowIndex'), patience).toBe('10000');
  });

  it('board page: the keyboard alone leads from the groups to a dead letter and back', async () => {
    const page = await board.open();
    await group(page, 'charge-card').waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: 'Error: 550 5.1.1 mailbox unavailable' }).waitFor();
    await expect.poll(rowCount(page), patience).toBe('1920');
    await page.keyboard.press('j');
    await page.keyboard.press('x');
    await page.getByRole('button', { name: 'Replay 1 selected' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Replay all 1,920' }).waitFor();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Story' }).waitFor();
    expect(await page.locator(':focus').innerText()).toBe('Error: 550 5.1.1 mailbox unavailable');
    const address = page.url();
    await page.keyboard.press('j');
    await expect.poll(() => page.url(), patience).not.toBe(address);
    await page.keyboard.press('k');
    await expect.poll(() => page.url(), patience).toBe(address);
    await page.keyboard.press('Escape');
    await expect.poll(rowCount(page), patience).toBe('1920');
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keyboard' }).waitFor();
    await page.keyboard.press('Escape');
    await expect.poll(() => page.getByRole('dialog').count(), patience).toBe(0);
  });

  it('board page: a search finds a text in bodies, within a group and in all', async () => {
    const page = await board.open();
    await group(page, 'ship-parcel').click();
    await page.keyboard.press('/');
    await page.keyboard.type('"sku":"TEA-120"');
    await page.keyboard.press('Enter');
    await page
      .getByRole('status')
      .filter({ hasText: /^\d+ found$/ })
      .waitFor();
    const found = Number(await rowCount(page)());
    expect(found).toBeGreaterThan(0);
    expect(found).toBeLessThan(512);
    await page.goto(`${board.base}/#/letters?text=nothing+has+this`);
    await page.getByRole('heading', { name: 'Nothing found' }).waitFor();
  });

  it('board page: a dead letter is shown whole, with its body as a tree, its story, headers and trace', async () => {
    const page = await board.open();
    await group(page, 'update-stock').click();
    await row(page, 1).click();
    const tree = page.getByRole('region', { name: /^Body/ });
    await expect.poll(() => tree.innerText(), patience).toMatch(/order_id: \d+[\s\S]*sku: "TEA-/);
    await tree.getByRole('button', { name: 'Raw' }).click();
    await expect.poll(() => tree.innerText(), patience).toContain('{"order_id":');
    const story = page.getByRole('region', { name: 'Story' });
    expect(await story.innerText()).toMatch(
      /Published[\s\S]*orders[\s\S]*Attempt 1 failed[\s\S]*dead-lettered as/,
    );
    expect(await page.getByRole('region', { name: 'Trace' }).innerText()).toMatch(/[\da-f]{32}/);
    expect(await page.getByRole('region', { name: 'Headers' }).innerText()).toContain('tenant');
    await page.goto(`${board.base}/#/letters?queue=make-thumbnail`);
    await row(page, 1).click();
    const image = page.getByRole('img', { name: 'The body' });
    await image.waitFor();
    const width = () => page.evaluate('document.querySelector(\'img[alt="The body"]\').naturalWidth');
    await expect.poll(width, patience).toBeGreaterThan(0);
  });

  it('board page: a group is replayed after a confirmation, with progress and a summary', async () => {
    const page = await board.open();
    await group(page, 'update-stock').click();
    await page.getByRole('button', { name: 'Replay all 1,204' }).click();
    const dialog = page.getByRole('dialog', { name: 'Replay 1,204 dead letters?' });
    await dialog.getByRole('button', { name: 'Replay 1,204' }).click();
    const card = jobCard(page, /Replay of 1,204/);
    await card.getByText('1,204 replayed').waitFor();
    await page.getByRole('heading', { name: 'None left' }).waitFor();
    expect(await board.vhost.count('update-stock')).toBe(1204);
    expect(await board.vhost.count(deadLetters)).toBe(shopTotal - 1204);
    await card.getByRole('button', { name: 'Hide' }).click();
    await expect.poll(() => page.getByRole('complementary', { name: 'Jobs' }).count(), patience).toBe(0);
  });

  it.each(['light', 'dark'] as const)('board page: axe has no serious finding, %s', async (colorScheme) => {
    const page = await board.open({ ...desktop, colorScheme });
    await group(page, 'charge-card').waitFor();
    await expectAccessible(page);
    await picture(page, `board-groups-${colorScheme}`);
    await group(page, 'charge-card').click();
    await expect.poll(rowCount(page), patience).toBe('6310');
    for (const key of ['j', 'x', 'j', 'x']) await page.keyboard.press(key);
    await picture(page, `board-list-${colorScheme}`);
    // Axe divides the whole height of a list into cells, so that it examines a short one.
    await group(page, 'make-thumbnail').click();
    await expect.poll(rowCount(page), patience).toBe('54');
    await expectAccessible(page);
    await row(page, 1).click();
    await page.getByRole('heading', { name: 'Story' }).waitFor();
    await expectAccessible(page);
    await picture(page, `board-letter-${colorScheme}`);
    await page.getByRole('button', { name: 'Replay', exact: true }).click();
    await page.getByRole('dialog').waitFor();
    await expectAccessible(page);
    await page.keyboard.press('Escape');
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keyboard' }).waitFor();
    await expectAccessible(page);
  });

  it('board page: a phone of 360 px shows groups, a list and a dead letter without scrolling to the side', async () => {
    const page = await board.open(phone);
    await group(page, 'charge-card').waitFor();
    await expectNoOverflow(page);
    await picture(page, 'board-phone-groups');
    await group(page, 'charge-card').click();
    await expect.poll(rowCount(page), patience).toBe('6310');
    await expectNoOverflow(page);
    await picture(page, 'board-phone-list');
    await row(page, 1).click();
    await page.getByRole('heading', { name: 'Story' }).waitFor();
    await expectNoOverflow(page);
    await picture(page, 'board-phone-letter');
    await page.getByRole('link', { name: 'Back to the list' }).click();
    await page.getByRole('link', { name: 'All groups' }).click();
    await page.getByRole('heading', { level: 1, name: card }).waitFor({ state: 'detached' });
  });

  it('board page: it reports that the board does not answer, and goes on when it does', async () => {
    const page = await board.open();
    await group(page, 'charge-card').waitFor();
    await page.context().setOffline(true);
    await page.getByRole('alert').filter({ hasText: 'The board does not answer' }).waitFor();
    await group(page, 'charge-card').waitFor();
    await page.context().setOffline(false);
    await page.getByRole('alert').waitFor({ state: 'detached' });
  });
});
