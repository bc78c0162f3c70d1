import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { projectFile } from '../../dev/stack/project.ts';
import { silentLog } from '../../runtime/base/log.ts';
import { boardHeader } from '../../runtime/board/api-types.ts';
import { Board, type BoardOptions } from '../../runtime/board/board.ts';
import { openBrowser } from './browser.ts';
import { stack } from './stack.ts';
import { openVhost, type TestVhost } from './vhost.ts';

export const phone = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true };
export const desktop = { viewport: { width: 1280, height: 800 } };

/** Pictures of the page, such as those of docs/board.md: set WARREN_PICTURES=docs/pictures to renew these, a folder of the project. */
const pictures = projectFile(process.env['WARREN_PICTURES'] ?? '.data/screenshots');

/** The board with its page, on a virtual host of its own, and a browser. */
export interface BoardPage {
  vhost: TestVhost;
  /** Address of the board. */
  base: string;
  /** Requests JSON from the board's API. */
  get<T>(path: string): Promise<T>;
  /** Posts JSON to the board's API as the page does, and expects no error. */
  post<T>(path: string, body?: object): Promise<T>;
  /** Opens the page in a new context. */
  open(options?: BrowserContextOptions, hash?: string): Promise<Page>;
  /** Closes the pages. Expects that none had an error, broke its policy, or requested anything of another host. */
  closePages(): Promise<void>;
  close(): Promise<void>;
}

export interface BoardPageOptions extends Partial<BoardOptions> {
  /** An issuer, to which the page sends requests when it signs in. */
  issuer?: string | undefined;
  /** A virtual host in place of a new one on the shared broker. */
  vhost?: TestVhost;
  /** Options that depend on the virtual host. */
  within?: (vhost: TestVhost) => Partial<BoardOptions>;
}

/**
 * Opens a board before the tests of a file, and closes its pages after each test and the board at the end.
 *
 * @param prepare called once with the open board.
 */
export function boardPage(
  open: () => Promise<BoardPage>,
  prepare: (board: BoardPage) => Promise<void> = async () => undefined,
): BoardPage {
  let board: BoardPage | undefined;
  const opened = (): BoardPage => {
    if (!board) throw new Error('the board is open only while the tests run');
    return board;
  };
  beforeAll(async () => {
    board = await open();
    await prepare(board);
  }, 120_000);
  afterEach(() => opened().closePages());
  afterAll(() => board?.close());
  return {
    get vhost() {
      return opened().vhost;
    },
    get base() {
      return opened().base;
    },
    get: (path) => opened().get(path),
    post: (path, body) => opened().post(path, body),
    open: (options, hash) => opened().open(options, hash),
    closePages: () => opened().closePages(),
    close: () => opened().close(),
  };
}

/** The card of a job in the tray. */
export const jobCard = (page: Page, name: RegExp): Locator =>
  page.getByRole('complementary', { name: 'Jobs' }).getByRole('region', { name });

/** Number of dead letters in the list that is shown. */
export const rowCount = (page: Page) => (): Promise<string | null> =>
  page.getByRole('grid').getAttribute('aria-rowcount');

/** Opens the group of an error, and waits for its list. */
export async function openGroup(page: Page, error: RegExp, number: number): Promise<void> {
  await page.getByRole('link', { name: error }).click();
  await expect.poll(rowCount(page), patience).toBe(String(number));
}

/** Patience for `expect.poll` on a slow machine. */
export const patience = { timeout: 90_000, interval: 100 };

export async function openBoardPage(section: object, options: BoardPageOptions = {}): Promise<BoardPage> {
  const { issuer, within, vhost = await openVhost(section), ...given } = options;
  const folder = await mkdtemp(join(tmpdir(), 'warren-board-'));
  const board = new Board({
    url: vhost.url,
    port: 0,
    log: silentLog,
    managementUrl: stack.AMQP_MANAGEMENT_URL,
    auditFile: join(folder, 'audit.jsonl'),
    ...given,
    ...within?.(vhost),
  });
  await board.start();
  const base = `http://127.0.0.1:${board.port}`;
  const browser: Browser = await openBrowser();
  let complaints: string[] = [];
  const json = async <T>(path: string, request?: RequestInit): Promise<T> => {
    const reply = await fetch(`${base}${path}`, request);
    if (!reply.ok) throw new Error(`${path}: expected success, got ${reply.status} ${await reply.text()}`);
    return (await reply.json()) as T;
  };
  return {
    vhost,
    base,
    get: (path) => json(path),
    post(path, body = {}) {
      const headers = { 'content-type': 'application/json', [boardHeader]: '1' };
      return json(path, { method: 'POST', headers, body: JSON.stringify(body) });
    },
    async open(options = desktop, hash = '') {
      const context = await browser.newContext(options);
      const page = await context.newPage();
      // Shorter than the test's limit, so that the error names the awaited condition.
      page.setDefaultTimeout(90_000);
      page.on('request', (request) => {
        const { origin, protocol } = new URL(request.url());
        if (!protocol.startsWith('http') || [base, issuer].includes(origin)) return;
        // The issuer's own pages may use other hosts.
        if (new URL(request.frame().url()).origin !== issuer) complaints.push(`request to ${origin}`);
      });
      page.on('console', (message) => {
        // An older board answers 404 for routes that it does not have, and the browser reports that.
        const isMissing = message.text().startsWith('Failed to load resource');
        if (['error', 'warning'].includes(message.type()) && !isMissing) complaints.push(message.text());
      });
      page.on('pageerror', (error) => complaints.push(error.message));
      await page.goto(`${base}/${hash}`);
      return page;
    },
    async closePages() {
      await Promise.all(browser.contexts().map((context) => context.close()));
      const found = complaints;
      complaints = [];
      expect(found).toEqual([]);
    },
    async close() {
      await browser.close();
      await board.stop();
      await vhost.close();
      await rm(folder, { recursive: true });
    },
  };
}

/** Makes a picture of what is visible. */
export async function picture(page: Page, name: string): Promise<void> {
  await mkdir(pictures, { recursive: true });
  await page.screenshot({ path: join(pictures, `${name}.png`), animations: 'disabled' });
}

/** Expects that axe finds nothing serious, targets of 24 px (WCAG 2.2), and one first heading. */
export async function expectAccessible(page: Page): Promise<void> {
  const options = { rules: { 'target-size': { enabled: true } } };
  const { violations } = await new AxeBuilder({ page }).options(options).analyze();
  const serious = violations.filter(
    ({ id, impact }) => impact === 'serious' || impact === 'critical' || id === 'page-has-heading-one',
  );
  expect(serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join('\n')}`)).toEqual([]);
}

/** Expects that the page is not wider than the screen. */
export async function expectNoOverflow(page: Page): Promise<void> {
  const wide = await page.evaluate(
    'document.documentElement.scrollWidth > document.documentElement.clientWidth',
  );
  expect(wide, 'the page scrolls to the side').toBe(false);
}
