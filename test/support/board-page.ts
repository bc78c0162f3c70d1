import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { expect } from 'vitest';
import { projectFile } from '../../dev/stack/project.ts';
import { silentLog } from '../../runtime/base/log.ts';
import { Board } from '../../runtime/board/board.ts';
import { openBrowser } from './browser.ts';
import { stack } from './stack.ts';
import { openVhost, type TestVhost } from './vhost.ts';

export const phone = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true };
export const desktop = { viewport: { width: 1280, height: 800 } };

/** Pictures of the page, such as those of docs/board.md: set WARREN_PICTURES=docs/pictures to renew these. */
const pictures = projectFile(process.env['WARREN_PICTURES'] ?? '.data/screenshots');

/** The board with its page, on a virtual host of its own, and a browser. */
export interface BoardPage {
  vhost: TestVhost;
  /** Address of the board. */
  base: string;
  /** Opens the page in a new context. */
  open(options?: BrowserContextOptions, hash?: string): Promise<Page>;
  /** Closes the pages. Expects that none had an error, broke its policy, or requested anything of another host. */
  closePages(): Promise<void>;
  close(): Promise<void>;
}

/** @param graceMs milliseconds before a drop begins, default that of the board. */
export async function openBoardPage(section: object, graceMs?: number): Promise<BoardPage> {
  const vhost = await openVhost(section);
  const folder = await mkdtemp(join(tmpdir(), 'warren-board-'));
  const board = new Board({
    url: vhost.url,
    port: 0,
    log: silentLog,
    graceMs,
    managementUrl: stack.AMQP_MANAGEMENT_URL,
    auditFile: join(folder, 'audit.jsonl'),
  });
  await board.start();
  const base = `http://127.0.0.1:${board.port}`;
  const browser: Browser = await openBrowser();
  let complaints: string[] = [];
  return {
    vhost,
    base,
    async open(options = desktop, hash = '') {
      const context = await browser.newContext(options);
      const page = await context.newPage();
      // Shorter than the test's limit, so that the error names the awaited condition.
      page.setDefaultTimeout(90_000);
      page.on('request', (request) => {
        const { origin, protocol } = new URL(request.url());
        if (protocol.startsWith('http') && origin !== base) complaints.push(`request to ${origin}`);
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

/** Expects that axe finds nothing serious. */
export async function expectAccessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  expect(serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join('\n')}`)).toEqual([]);
}

/** Expects that the page is not wider than the screen. */
export async function expectNoOverflow(page: Page): Promise<void> {
  const wide = await page.evaluate(
    'document.documentElement.scrollWidth > document.documentElement.clientWidth',
  );
  expect(wide, 'the page scrolls to the side').toBe(false);
}
