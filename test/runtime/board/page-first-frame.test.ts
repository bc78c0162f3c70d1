/** What happens to the page of the board before its first frame is drawn, as a script or a fast user may do it. */
import { describe, expect, it, vi } from 'vitest';
import { type BoardPage, boardPage, openBoardPage, patience } from '../../support/board-page.ts';
import { publishAllDead } from '../../support/dead-letters.ts';

const given = [1, 2, 3].map((n) => ({ id: `m${n}`, error: `Error: ${n}` }));
const prepare = async (board: BoardPage) => {
  await publishAllDead(board.vhost.channel, given);
  const total = async () => (await board.get<{ total: number }>('/api/groups')).total;
  await vi.waitFor(async () => expect(await total()).toBe(given.length), patience);
};

const press = (key: string) =>
  `document.body.dispatchEvent(new KeyboardEvent('keydown', { key: '${key}', bubbles: true }));`;

/** Has the page run a script as soon as it has an element, before the browser draws it. */
const asSoonAs = (selector: string, script: string) => `
  new MutationObserver((_, observer) => {
    if (!document.querySelector('${selector}')) return;
    observer.disconnect();
    ${script}
  }).observe(document, { childList: true, subtree: true });
`;

describe('the page of the board before its first frame', { timeout: 240_000 }, () => {
  const board = boardPage(() => openBoardPage({ deadLetterIndex: true, queues: { shop: {} } }), prepare);
  const openWith = async (script: string) => {
    const page = await board.open();
    await page.addInitScript(script);
    await page.reload();
    return page;
  };

  it('board page: an address that changes while the board is loading is the one that is shown', async () => {
    const page = await openWith(asSoonAs('#app .loading', "location.hash = '#/audit';"));
    await page.getByRole('heading', { level: 1, name: 'Audit' }).waitFor();
  });

  it('board page: a key that is pressed as soon as the groups are there moves to the first one', async () => {
    const page = await openWith(asSoonAs('.groups a', press('j')));
    await page.locator('.groups a').first().waitFor();
    await expect.poll(() => page.evaluate('document.activeElement.tagName'), patience).toBe('A');
  });

  it('board page: a dialog has the keys from its beginning', async () => {
    const page = await openWith(asSoonAs('dialog', press('1')));
    await page.goto(`${board.base}/#/audit`);
    await page.getByRole('heading', { level: 1, name: 'Audit' }).waitFor();
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keyboard' }).waitFor();
    expect(page.url()).toContain('#/audit');
  });
});
