import { randomBytes } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { AxeBuilder } from '@axe-core/playwright';
import type { Browser, BrowserContextOptions, CDPSession, Locator, Page } from 'playwright-core';
import sharp from 'sharp';
import { rgbaToThumbHash, thumbHashToRGBA } from 'thumbhash';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { projectFile } from '../../dev/stack/project.ts';
import { dropDeadLetters } from '../../runtime/dead-letters/dead-letters.ts';
import { openBrowser } from '../support/browser.ts';
import { type System, startSystem } from '../support/system.ts';

const patience = { timeout: 80_000, interval: 100 };
const phone = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true };
const desktop = { viewport: { width: 1280, height: 860 } };
const screenshots = projectFile('.data/screenshots');

describe('the page, in Chromium', { timeout: 180_000 }, () => {
  let system: System;
  let browser: Browser;
  let photo: Buffer;
  /** The requests of the page, their results, and the output of its console. */
  let asked: URL[] = [];
  let answered: URL[] = [];
  let complaints: string[] = [];

  beforeAll(async () => {
    browser = await openBrowser();
    system = await startSystem(undefined, 'offline', true);
    photo = await readFile(projectFile('assets/demo.jpg'));
    await mkdir(screenshots, { recursive: true });
  }, 300_000);

  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()));
    // Nothing that is against its own policy, no error of ours, no other host than ours and the storage's.
    expect(complaints.filter((text) => !text.startsWith('Failed to load resource'))).toEqual([]);
    const hosts = new Set(asked.filter(({ protocol }) => protocol === 'http:').map(({ origin }) => origin));
    const ours = [system.env.HTTP_URL, system.env.S3_ENDPOINT].map((url) => new URL(url).origin);
    expect([...hosts].filter((origin) => !ours.includes(origin))).toEqual([]);
  });

  afterAll(async () => {
    await browser?.close();
    await system?.remove();
  }, 60_000);

  const open = async (options: BrowserContextOptions = desktop): Promise<Page> => {
    [asked, answered, complaints] = [[], [], []];
    const context = await browser.newContext(options);
    const page = await context.newPage();
    // Shorter than the test's limit, so that the error names the awaited condition.
    page.setDefaultTimeout(80_000);
    page.on('request', (request) => asked.push(new URL(request.url())));
    page.on('requestfinished', (request) => answered.push(new URL(request.url())));
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(system.env.HTTP_URL);
    return page;
  };

  const signIn = async (page: Page, user = 1) => {
    await page.getByLabel('Your user number').fill(String(user));
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.getByRole('heading', { name: 'Pictures' }).waitFor();
  };

  const choose = (page: Page, ...files: { name: string; buffer: Buffer }[]) =>
    page
      .getByLabel('Choose pictures')
      .setInputFiles(files.map((file) => ({ mimeType: 'image/jpeg', ...file })));

  const card = (page: Page, name: string) =>
    page
      .getByRole('list', { name: 'Your pictures' })
      .getByRole('listitem')
      .filter({ has: page.getByRole('heading', { name, exact: true }) })
      .first();

  const finished = async (page: Page, name: string) => {
    for (const text of [
      /^Resized to \d+ renditions/,
      /^10 points$/,
      /friends? (told|to be told in a digest)$/,
    ]) {
      await card(page, name).getByText(text).waitFor();
    }
    // It is there, in the size that fits.
    await card(page, name).getByRole('img', { name }).waitFor();
    const shown = () =>
      page.evaluate(`
        [...document.querySelectorAll('picture img')].every((image) => image.complete && image.naturalWidth > 0)
      `);
    await expect.poll(shown, patience).toBe(true);
  };

  const noSideways = async (page: Page) => {
    const widths = await page.evaluate<[number, number]>(
      '[document.documentElement.scrollWidth, innerWidth]',
    );
    expect(widths[0]).toBeLessThanOrEqual(widths[1]);
  };

  const accessible = async (page: Page) => {
    const { violations } = await new AxeBuilder({ page }).analyze();
    const found = violations.map(({ id, impact, nodes }) => ({
      id,
      impact,
      at: nodes.map((each) => each.html),
    }));
    expect(found).toEqual([]);
  };

  /** Slow enough to be watched, in bytes a second. */
  const slowUploads = async (page: Page, uploadThroughput: number): Promise<CDPSession> => {
    const session = await page.context().newCDPSession(page);
    const rest = { offline: false, latency: 0, downloadThroughput: -1 };
    await session.send('Network.emulateNetworkConditions', { uploadThroughput, ...rest });
    return session;
  };

  /** The values that a progress bar has from now on. */
  const watchProgress = (page: Page, name: string) =>
    page.evaluate(`
      globalThis.progressValues = new Set();
      // Sees every change; frames may be rarer than the changes are.
      new MutationObserver((changes) => {
        for (const { target } of changes) {
          if (target.ariaLabel === 'Upload of ${name}') progressValues.add(target.value);
        }
      }).observe(document, { subtree: true, attributeFilter: ['value'] });
    `);
  const progress = (page: Page) => page.evaluate<number[]>('[...progressValues]');

  it('takes a picture, shows how far it is, and watches each function finish', async () => {
    const page = await open();
    await page.screenshot({ path: `${screenshots}/welcome-light.png` });
    await signIn(page);
    await slowUploads(page, 200_000);
    await watchProgress(page, 'bird.jpg');
    await choose(page, { name: 'bird.jpg', buffer: photo });
    await card(page, 'bird.jpg').getByRole('progressbar').waitFor();
    await finished(page, 'bird.jpg');
    const values = await progress(page);
    expect(values.filter((value) => value > 0 && value < 100).length).toBeGreaterThan(1);
    expect(values).toEqual(values.toSorted((a, b) => a - b));
    await expect.poll(() => page.locator('#balance').textContent(), patience).toBe('10');
    await page.getByText('8 renditions', { exact: true }).click();
    await card(page, 'bird.jpg').getByText('shown here').waitFor();
    expect(await card(page, 'bird.jpg').locator('.sizes .taken').innerText()).toMatch(/800 × 450 webp/);
    await page.screenshot({ path: `${screenshots}/work-light.png`, fullPage: true });
  });

  it('looks twice a second for what is under way, ever more rarely when nothing comes, and never unseen', async () => {
    const [id, user] = [7001, 5];
    // It is never processed, because there is no message for it.
    const image_path = 'originals/7001.jpg';
    const waiting = { id, user_id: user, image_path, status: 'uploaded', announced_at: new Date() } as const;
    await system.db.insertInto('pictures').values(waiting).execute();
    const page = await open();
    await page.clock.install();
    await signIn(page, user);
    await card(page, `Picture ${id}`).getByText('To be resized').waitFor();
    await page.clock.pauseAt(Date.now() + 60_000);
    const isLook = ({ pathname }: URL) => pathname === `/pictures/${id}`;
    const looks = () => asked.filter(isLook).length;
    const boards = () => asked.filter(({ pathname }) => pathname === '/queues').length;
    /** A round trip: what the page asked for before is known of, and it has taken in what came before. */
    const settle = () => page.evaluate("fetch('/page/icon.svg').then((reply) => reply.text())");
    /** Lets the page's clock go on; an answer that is under way comes first, however slow this machine is. */
    const pass = async (ms: number) => {
      await settle();
      await expect.poll(() => answered.filter(isLook).length, { ...patience, interval: 5 }).toBe(looks());
      await settle();
      await page.clock.runFor(ms);
    };
    /** How long the page's clock goes on until it looks again. */
    const untilNext = async (step: number) => {
      const before = looks();
      let passed = 0;
      for (; looks() === before; passed += step) await pass(step);
      return passed;
    };
    await untilNext(100);
    for (let look = 0; look < 4; look += 1) {
      const pause = await untilNext(100);
      expect(pause).toBeGreaterThanOrEqual(400);
      expect(pause).toBeLessThanOrEqual(800);
    }
    for (let look = 0; look < 30; look += 1) await untilNext(1000);
    const seldom = await untilNext(500);
    expect(seldom).toBeGreaterThan(5000);
    expect(seldom).toBeLessThanOrEqual(11_000);

    const hide = (hidden: boolean) =>
      page.evaluate(`
        Object.defineProperty(document, 'hidden', { value: ${hidden}, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));
      `);
    await hide(true);
    await pass(15_000);
    const unseen = [looks(), boards()];
    for (let second = 0; second < 60; second += 1) await pass(1000);
    expect([looks(), boards()]).toEqual(unseen);
    await hide(false);
    await expect.poll(() => looks() > (unseen[0] ?? 0) && boards() > (unseen[1] ?? 0), patience).toBe(true);

    await system.db.deleteFrom('pictures').where('id', '=', id).execute();
    // Longer than the longest pause: it has learned by then that there is nothing left to see.
    for (let second = 0; second < 15; second += 1) await pass(1000);
    const last = looks();
    for (let second = 0; second < 60; second += 1) await pass(1000);
    expect(looks()).toBe(last);
  });

  it('puts a large picture into the storage itself', async () => {
    const [width, height] = [3000, 2000];
    const noise = sharp(randomBytes(width * height * 3), { raw: { width, height, channels: 3 } });
    const buffer = await noise.jpeg({ quality: 95 }).toBuffer();
    expect(buffer.length).toBeGreaterThan(4 * 1024 * 1024);
    const page = await open();
    await signIn(page);
    await slowUploads(page, 8_000_000);
    await watchProgress(page, 'large.jpg');
    await choose(page, { name: 'large.jpg', buffer });
    await finished(page, 'large.jpg');
    expect((await progress(page)).some((value) => value > 0 && value < 100)).toBe(true);
    const puts = asked.filter(({ origin }) => origin === new URL(system.env.S3_ENDPOINT).origin);
    expect(puts.some(({ pathname }) => /originals\/\d+\.jpg$/.test(pathname))).toBe(true);
  });

  it('takes many files at once, dropped anywhere, and shows the outcome of each', async () => {
    const page = await open();
    await signIn(page, 2);
    const transfer = await page.evaluateHandle(`(() => {
      const photo = Uint8Array.from(atob('${photo.toString('base64')}'), (each) => each.charCodeAt());
      const data = new DataTransfer();
      const add = (name, content) => data.items.add(new File([content], name, { type: 'image/jpeg' }));
      add('one.jpg', photo);
      add('two.jpg', photo);
      add('notes.jpg', 'just a text');
      add('torn.jpg', photo.slice(0, 20_000));
      return data;
    })()`);
    await page.dispatchEvent('main', 'drop', { dataTransfer: transfer });
    const names = page.getByRole('list', { name: 'Your pictures' }).getByRole('heading');
    expect((await names.allTextContents()).slice(0, 4)).toEqual([
      'one.jpg',
      'two.jpg',
      'notes.jpg',
      'torn.jpg',
    ]);
    for (const name of ['one.jpg', 'two.jpg']) {
      await card(page, name)
        .getByText(/^Resized to/)
        .waitFor();
      await card(page, name)
        .getByText(/friends? (told|to be told in a digest)$/)
        .waitFor();
    }
    const alert = card(page, 'notes.jpg').getByRole('alert');
    await expect
      .poll(() => alert.innerText(), patience)
      .toMatch(/^Unsupported media type\. Expected JPEG, PNG/);
    await card(page, 'torn.jpg').getByText('Can’t be resized', { exact: true }).waitFor();
    // In plain words, as a sentence.
    const why = await card(page, 'torn.jpg').locator('.reason').innerText();
    expect(why).toMatch(/^The picture is damaged: .+\.$/);
    // The function's reason, for the operator: a dead letter.
    await expect.poll(() => page.locator('#dead').textContent(), patience).toBe('1');
    // Neither has a picture to show, and as a row it leaves no hole beside it.
    const width = async (where: Locator) => (await where.boundingBox())?.width;
    const whole = await width(page.getByRole('list', { name: 'Your pictures' }));
    for (const name of ['notes.jpg', 'torn.jpg']) expect(await width(card(page, name))).toBe(whole);
    await page.screenshot({ path: `${screenshots}/failure.png`, fullPage: true });
    await accessible(page);
    await dropDeadLetters(system.env.AMQP_URL, { queue: 'resize-picture' });
    await card(page, 'notes.jpg').getByRole('button', { name: 'Dismiss' }).click();
    await expect.poll(() => card(page, 'notes.jpg').count(), patience).toBe(0);
  });

  it('reports an unreachable server, and uploads after a retry by the user', async () => {
    const page = await open();
    await signIn(page);
    await page.context().setOffline(true);
    await choose(page, { name: 'bird.jpg', buffer: photo });
    const alert = card(page, 'bird.jpg').getByRole('alert');
    await expect.poll(() => alert.innerText(), patience).toMatch(/^No answer from the server/);
    await page.context().setOffline(false);
    await card(page, 'bird.jpg').getByRole('button', { name: 'Try again' }).click();
    await finished(page, 'bird.jpg');
    expect(await alert.isVisible()).toBe(false);
  });

  it('raises an alert with a key of one’s choice, and shows the queues that took it', async () => {
    const page = await open();
    await signIn(page);
    const key = page.getByLabel('Routing key');
    const reach = page.locator('#reach');
    await expect.poll(() => reach.innerText(), patience).toMatch(/critical\s+rate_limit\s+alert-log/);
    await key.fill('info.deploy');
    expect(await reach.innerText()).toMatch(/^Goes to\s+alert-log$/);
    await page.getByRole('textbox', { name: 'Message' }).fill('the page raised this');
    await page.getByRole('button', { name: 'Raise' }).click();
    await page.getByText('Taken by alert-log.').waitFor();
    const logged = () =>
      system.db.selectFrom('alert_log').select('content').where('routing_key', '=', 'info.deploy').execute();
    await expect.poll(logged, patience).toEqual([{ content: 'the page raised this' }]);
    await key.fill('nonsense');
    expect(await reach.innerText()).toBe('No queue is bound for this key.');
    await page.getByRole('button', { name: 'Raise' }).click();
    await page.getByRole('alert').filter({ hasText: 'Expected <severity>.<type>' }).waitFor();
    expect(await key.getAttribute('aria-invalid')).toBe('true');
  });

  it('pings, and shows the round trip', async () => {
    const page = await open();
    await signIn(page);
    await page.getByRole('button', { name: 'Ping' }).click();
    await page.getByText(/^\d+ ms Pong!$/).waitFor();
  });

  it('shows each queue of the topology, and what waits in it', async () => {
    const page = await open();
    await signIn(page);
    const rows = page.getByRole('table').getByRole('row');
    // One consumer makes all calls of an RPC queue.
    await page.getByRole('row', { name: /^describe-picture 0 \d 1$/ }).waitFor();
    const names = await rows.getByRole('rowheader').allTextContents();
    const yml = await readFile(projectFile('serverless.yml'), 'utf8');
    const { custom } = parse(yml, { merge: true }) as { custom: { warren: { queues: object } } };
    expect(names).toEqual(Object.keys(custom.warren.queues));
    await page.getByText('Waiting for a retry').waitFor();
  });

  it('links each queue and the dead letters to the board, which shows them', async () => {
    const page = await open();
    await signIn(page);
    await page.getByRole('row', { name: /^ping/ }).waitFor();
    const follow = async (name: string) => {
      const opened = page.context().waitForEvent('page');
      // By keyboard, as by mouse.
      await page.getByRole('link', { name, exact: true }).focus();
      await page.keyboard.press('Enter');
      return opened;
    };
    const live = await follow('walker-notices');
    expect(live.url()).toBe(`${system.env.BOARD_URL}/#/live?queue=walker-notices`);
    await live
      .getByRole('rowheader', { name: /walker-notices/ })
      .first()
      .waitFor();
    const letters = await follow('Dead letters');
    await letters
      .getByRole('heading', { name: /dead letters/i })
      .first()
      .waitFor();
  });

  it('shows what it reads, what is empty, and what cannot be read, each in its place', async () => {
    const page = await open();
    let answer: 'later' | 'never' | 'now' = 'later';
    const held: (() => void)[] = [];
    const parts = /\/(queues|pictures\?limit=6|users\/\d+\/(points|friends))$/;
    await page.route(parts, async (route) => {
      if (answer === 'later') await new Promise<void>((resolve) => held.push(resolve));
      if (answer === 'never') await route.abort();
      else await route.continue();
    });
    await signIn(page, 77);
    for (const what of ['your pictures', 'your friends', 'your points', 'the queues'])
      await page.getByText(`Reading ${what}…`).waitFor();
    await accessible(page);
    await page.screenshot({ path: `${screenshots}/loading.png`, fullPage: true });
    answer = 'never';
    for (const release of held) release();
    for (const part of ['pictures', 'friends', 'points', 'queues'])
      await expect.poll(() => page.locator(`#${part}-error`).innerText(), patience).toMatch(/^No answer/);
    expect(
      await page
        .getByText(/^Reading /)
        .filter({ visible: true })
        .count(),
    ).toBe(0);
    await accessible(page);
    await page.screenshot({ path: `${screenshots}/unreachable.png`, fullPage: true });
    answer = 'now';
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByText(/^You have no pictures yet/).waitFor();
    expect(await page.locator('#pictures-error').isVisible()).toBe(false);
    await page.reload();
    for (const text of [/^You have no pictures yet/, /^No points yet/, /^You have no friends here yet/])
      await page.getByText(text).waitFor();
    await page.getByRole('row', { name: /^ping/ }).waitFor();
    await accessible(page);
    await page.screenshot({ path: `${screenshots}/empty.png`, fullPage: true });
  });

  it('shows requests of friends to both users, who accept, decline, withdraw and remove them by keyboard', async () => {
    const asking = await open({ ...phone, hasTouch: false, isMobile: false });
    await signIn(asking, 3);
    const part = (page: Page) => page.getByRole('region', { name: 'Friends' });
    const people = (page: Page, name: string) => part(page).getByRole('list', { name }).getByRole('listitem');
    const press = (page: Page, name: string) => part(page).getByRole('button', { name }).press('Enter');
    const ask = async (page: Page, user: string) => {
      await part(page).getByLabel('User number of a friend').fill(user);
      await page.keyboard.press('Enter');
    };
    const said = (page: Page) => page.locator('#announce').textContent();
    const focused = (page: Page) =>
      page.evaluate('document.activeElement.ariaLabel ?? document.activeElement.id');
    await people(asking, 'Your friends').filter({ hasText: 'Ada' }).waitFor();

    await ask(asking, '5');
    await people(asking, 'Sent requests').filter({ hasText: 'User 5 has not answered yet' }).waitFor();
    expect(await said(asking)).toBe('Request to user 5 sent');
    // The same answer for a number that is no user's.
    await ask(asking, '987654');
    await people(asking, 'Sent requests').filter({ hasText: 'User 987654' }).waitFor();
    await press(asking, 'Withdraw user 987654');
    await expect.poll(() => people(asking, 'Sent requests').count(), patience).toBe(1);
    expect(await focused(asking)).toBe('friend-id');
    for (const [user, text] of [
      ['3', 'Expected another user than yourself'],
      ['Tony', 'That is no user number.'],
    ] as const) {
      await ask(asking, user);
      await part(asking).getByRole('alert').filter({ hasText: text }).waitFor();
    }
    // The next list of the friends contains nothing about it.
    await asking.waitForResponse(/\/friends$/);
    await asking.evaluate(
      'new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))',
    );
    expect(await part(asking).getByRole('alert').innerText()).toBe('That is no user number.');

    const answering = await open();
    await signIn(answering, 5);
    await people(answering, 'Requests').filter({ hasText: 'Edsger wants to be friends' }).waitFor();
    await part(answering).screenshot({ path: `${screenshots}/friends-request.png` });
    await accessible(answering);
    await press(answering, 'Decline Edsger');
    await expect.poll(() => people(answering, 'Requests').count(), patience).toBe(0);
    expect(await said(answering)).toBe('Declined the request of Edsger');

    await asking.reload();
    await expect.poll(() => people(asking, 'Your friends').count(), patience).toBe(1);
    await expect.poll(() => people(asking, 'Sent requests').count(), patience).toBe(0);
    await ask(asking, '5');
    // Without a reload: the page asks for it.
    await people(answering, 'Requests').filter({ hasText: 'Edsger' }).waitFor();
    expect(await said(answering)).toBe('New request of Edsger');
    await press(answering, 'Accept Edsger');
    await people(answering, 'Your friends').filter({ hasText: 'Edsger' }).waitFor();
    expect(await focused(answering)).toBe('Remove Edsger');
    expect(await said(answering)).toBe('You and Edsger are friends now');

    await people(asking, 'Your friends').filter({ hasText: 'Tony' }).waitFor();
    await noSideways(asking);
    await part(asking).screenshot({ path: `${screenshots}/friends-phone.png` });
    await press(asking, 'Remove Tony');
    await asking.getByRole('dialog', { name: 'Remove Tony?' }).waitFor();
    await accessible(asking);
    await asking.keyboard.press('Escape');
    await asking.getByRole('dialog').waitFor({ state: 'hidden' });
    expect(await focused(asking)).toBe('Remove Tony');
    await press(asking, 'Remove Tony');
    await asking.getByRole('dialog').getByRole('button', { name: 'Remove' }).press('Enter');
    await expect.poll(() => people(asking, 'Your friends').count(), patience).toBe(1);
    expect(await focused(asking)).toBe('friend-id');
    await expect.poll(() => people(answering, 'Your friends').count(), patience).toBe(1);
  });

  it('shows the latest points, newest first', async () => {
    const page = await open();
    await signIn(page, 4);
    await choose(page, { name: 'points.jpg', buffer: photo });
    const entries = page.getByRole('list', { name: 'Latest points' }).getByRole('listitem');
    await expect.poll(() => entries.allInnerTexts(), patience).toHaveLength(1);
    await card(page, 'points.jpg').getByText('10 points').waitFor();
    await page.getByRole('button', { name: 'Delete points.jpg' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await expect.poll(() => entries.count(), patience).toBe(2);
    expect((await entries.allInnerTexts())[0]).toMatch(/^Picture \d+ deleted\s*-10$/);
  });

  it('can be used with nothing but a keyboard', async () => {
    const page = await open();
    // Registered early, because Chromium handles it asynchronously and would open its own dialog.
    const chooser = page.waitForEvent('filechooser');
    /** Goes on with Tab until the focus is on what has this name. */
    const tabTo = async (name: string) => {
      for (let step = 0; step < 60; step += 1) {
        await page.keyboard.press('Tab');
        const focused = await page.evaluate(`{
          const { ariaLabel, labels, textContent } = document.activeElement;
          (ariaLabel ?? labels?.[0]?.textContent ?? textContent).trim();
        }`);
        if (focused === name) return;
      }
      throw new Error(`no way by keyboard to ${name}`);
    };
    await tabTo('Skip to the content');
    await page.keyboard.press('Enter');
    await tabTo('Your user number');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Pictures' }).waitFor();
    await tabTo('Choose pictures');
    const ring = await page.evaluate('getComputedStyle(document.activeElement.parentElement).outlineStyle');
    expect(ring).toBe('solid');
    await page.keyboard.press('Enter');
    await (await chooser).setFiles({ name: 'keys.jpg', mimeType: 'image/jpeg', buffer: photo });
    await finished(page, 'keys.jpg');
    await tabTo('Routing key');
    await page.keyboard.press('Enter');
    await page.getByText(/^Taken by/).waitFor();
    await tabTo('Ping');
    await page.keyboard.press('Space');
    await page.getByText(/^\d+ ms Pong!$/).waitFor();
    await page.locator('#main').focus();
    await tabTo('Delete keys.jpg');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'Delete this picture?' }).waitFor();
    await accessible(page);
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    // Removed and requested again within one turn, before the page gets the first answer.
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await page.evaluate(`{
      document.querySelector('dialog').close();
      document.activeElement.click();
    }`);
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Enter');
    await expect.poll(() => card(page, 'keys.jpg').count(), patience).toBe(0);
    // Not lost at the top of the page.
    expect(await page.evaluate('document.activeElement.tagName')).toMatch(/BUTTON|INPUT/);
  });

  it('fits a phone, in the dark too, and lets it take photographs', async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      const page = await open({ ...phone, colorScheme });
      await noSideways(page);
      await page.screenshot({ path: `${screenshots}/phone-welcome-${colorScheme}.png` });
      await signIn(page);
      const middles = await Promise.all(
        ['#user', '#balance', '#sign-out'].map(async (id) => {
          const { y = 0, height = 0 } = (await page.locator(id).boundingBox()) ?? {};
          return y + height / 2;
        }),
      );
      expect(Math.max(...middles) - Math.min(...middles), 'one line above the page').toBeLessThan(4);
      const camera = page.getByLabel('Take a photograph');
      expect(await camera.getAttribute('capture')).toBe('environment');
      await camera.setInputFiles({ name: 'photo.jpg', mimeType: 'image/jpeg', buffer: photo });
      await finished(page, 'photo.jpg');
      await card(page, 'photo.jpg').getByText('8 renditions', { exact: true }).click();
      await page.getByRole('row', { name: /^ping/ }).waitFor();
      await noSideways(page);
      await card(page, 'photo.jpg').scrollIntoViewIfNeeded();
      await page.screenshot({ path: `${screenshots}/phone-picture-${colorScheme}.png` });
      await page.getByRole('heading', { name: 'Queues' }).scrollIntoViewIfNeeded();
      await page.screenshot({ path: `${screenshots}/phone-queues-${colorScheme}.png` });
      await accessible(page);
    }
  });

  it.each(['light', 'dark'] as const)('has nothing that axe finds fault with, %s', async (colorScheme) => {
    const page = await open({ ...desktop, colorScheme, reducedMotion: 'reduce' });
    await accessible(page);
    await page.screenshot({ path: `${screenshots}/welcome-${colorScheme}.png` });
    await signIn(page);
    await choose(page, { name: 'bird.jpg', buffer: photo });
    await finished(page, 'bird.jpg');
    await page.getByRole('row', { name: /^ping/ }).waitFor();
    await page.screenshot({ path: `${screenshots}/work-${colorScheme}.png`, fullPage: true });
    await accessible(page);
    const background = await page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
    const [red = 0] = /\d+/.exec(background)?.map(Number) ?? [];
    expect(red > 128).toBe(colorScheme === 'light');
  });

  it('announces events to a screen reader', async () => {
    const page = await open();
    await signIn(page, 3);
    await page.evaluate(`
      globalThis.said = [];
      const region = document.querySelector('#announce');
      new MutationObserver(() => said.push(region.textContent)).observe(region, { childList: true });
    `);
    await choose(page, { name: 'bird.jpg', buffer: photo });
    await card(page, 'bird.jpg')
      .getByText(/friends? (told|to be told in a digest)$/)
      .waitFor();
    const said = () => page.evaluate<string>('said.join("\\n")');
    await expect.poll(said, patience).toMatch(/bird\.jpg: uploaded/);
    for (const text of [/Resized to 8 renditions/, /10 points/, /told/]) {
      await expect.poll(said, patience).toMatch(text);
    }
  });

  it('stays signed in over a reload, shows what was there, and signs out', async () => {
    const page = await open();
    await signIn(page, 4);
    await choose(page, { name: 'bird.jpg', buffer: photo });
    await card(page, 'bird.jpg')
      .getByText(/^Resized/)
      .waitFor();
    await page.reload();
    const earlier = page.getByRole('heading', { name: /^Picture \d+$/ });
    await earlier.waitFor();
    await page.getByRole('button', { name: /^Details/ }).press('Enter');
    await page.getByText(/^Resized to 8 renditions$/).waitFor();
    expect(await page.evaluate('document.activeElement.ariaLabel')).toMatch(/^Delete Picture \d+$/);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: /^One message in/ }).waitFor();
    expect(await earlier.count()).toBe(0);
    expect(await page.evaluate('sessionStorage.length')).toBe(0);
  });

  it('asks to sign in again, with the reason, if the token is no longer valid', async () => {
    const page = await open();
    await page.evaluate("sessionStorage.setItem('warren-token', 'a.eyJzdWIiOiIxIn0.c')");
    await page.reload();
    await page.getByRole('alert').filter({ hasText: 'Not authenticated. The token is not valid.' }).waitFor();
    await signIn(page);
  });

  it('takes a token from elsewhere', async () => {
    const page = await open();
    await page.getByText('Sign in with a token instead').click();
    await page.getByLabel('Token', { exact: true }).fill('nonsense');
    await page.getByRole('button', { name: 'Use it' }).click();
    await page.getByRole('alert').filter({ hasText: 'That is no token' }).waitFor();
    const response = await fetch(new URL('/session', system.env.HTTP_URL), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"user_id": 5}',
    });
    const { token } = (await response.json()) as { token: string };
    await page.getByLabel('Token', { exact: true }).fill(token);
    await page.getByRole('button', { name: 'Use it' }).click();
    await expect.poll(() => page.locator('#user').textContent(), patience).toBe('5');
  });

  it('draws a placeholder as those who thought it up do', async () => {
    const page = await open();
    const { data, info } = await sharp(photo)
      .resize(100, 100, { fit: 'inside' })
      .ensureAlpha()
      .raw()
      .toBuffer({
        resolveWithObject: true,
      });
    const clear = data.map((value, index) => (index % 4 === 3 ? index % 200 : value));
    for (const [width, height, pixels] of [
      [info.width, info.height, data],
      [info.height, info.width, data],
      [info.width, info.height, clear],
    ] as const) {
      const hash = rgbaToThumbHash(width, height, pixels);
      const drawn = await page.evaluate<{ w: number; h: number; rgba: number[] }>(`
        import('/page/thumbhash.js').then(({ decode }) => {
          const { width, height, data } = decode(Uint8Array.from([${hash}]));
          return { w: width, h: height, rgba: [...data] };
        })
      `);
      const { w, h, rgba } = thumbHashToRGBA(hash);
      expect([drawn.w, drawn.h]).toEqual([w, h]);
      const furthest = Math.max(...drawn.rgba.map((value, index) => Math.abs(value - (rgba[index] ?? 0))));
      expect(furthest).toBeLessThanOrEqual(1);
    }
  });
});
