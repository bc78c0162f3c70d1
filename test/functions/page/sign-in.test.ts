/** The page signs in at `oidc-provider`, in Chromium, and the functions accept its tokens. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { projectDir } from '../../../dev/stack/project.ts';
import { silentLog } from '../../../runtime/base/log.ts';
import { HttpHost } from '../../../runtime/hosts/http/host.ts';
import { openBrowser } from '../../support/browser.ts';
import { openDeps } from '../../support/deps.ts';
import { type Oidc, signInAt, startOidc } from '../../support/oidc.ts';
import { httpFunctions } from '../../support/routes.ts';
import { stack } from '../../support/stack.ts';

const deps = openDeps();
const clientId = 'warren-page';
const audience = 'https://api.example.com';
const scope = 'openid profile email friends:write';

describe('the page, signed in at an issuer', { timeout: 60_000 }, () => {
  let browser: Browser;
  let host: HttpHost;
  let issuer: string;
  let address: string;
  let provider: Oidc;
  let asked: URL[] = [];
  let complaints: string[] = [];

  beforeAll(async () => {
    provider = await startOidc();
    issuer = provider.issuer;
    const env = {
      ...stack,
      AUTH_JWT_SECRET: '',
      LOG_LEVEL: 'silent',
      AUTH_ISSUER: issuer,
      AUTH_AUDIENCE: audience,
      AUTH_CLIENT_ID: clientId,
      AUTH_CLIENT_SCOPE: scope,
      AUTH_CLIENT_PARAMETERS: `resource=${audience}`,
    };
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
    const functions = Object.fromEntries(
      Object.entries(httpFunctions).map(([name, { handler, events }]) => [
        name,
        { handler, events, timeout: 30 },
      ]),
    );
    const settings = { manifest: { functions }, folder: projectDir, env: process.env, log: silentLog };
    host = new HttpHost({ ...settings, host: '127.0.0.1', port: 0 });
    await host.start();
    address = `http://127.0.0.1:${host.port}/`;
    provider.serve({
      clientId,
      redirectUri: address,
      audience,
      scope: 'friends:write',
      claims: () => ({}),
    });
    browser = await openBrowser();
  }, 90_000);
  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()));
    expect(complaints.filter((text) => /Content Security Policy|Uncaught/.test(text))).toEqual([]);
  });
  afterAll(async () => {
    await browser?.close();
    await host?.stop({ deadlineMs: 5000 });
    await provider?.close();
    await deps.close();
    vi.unstubAllEnvs();
  });

  const open = async (path = ''): Promise<Page> => {
    [asked, complaints] = [[], []];
    const page = await (await browser.newContext()).newPage();
    page.setDefaultTimeout(20_000);
    page.on('request', (request) => asked.push(new URL(request.url())));
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(`Uncaught ${error.message}`));
    await page.goto(`${address}${path}`);
    return page;
  };
  const begin = (page: Page) => page.getByRole('button', { name: 'Sign in', exact: true }).click();
  const signIn = async (page: Page, login: string) => {
    await begin(page);
    await signInAt(page, login);
  };

  it('by the code flow with PKCE: the user is made, and the page works with the token', async () => {
    const login = `ada${Date.now()}`;
    const page = await open();
    expect(await page.getByLabel('Your user number').isVisible()).toBe(false);
    await signIn(page, login);
    await page.getByRole('heading', { name: 'Pictures' }).waitFor();
    expect(await page.locator('#user').textContent()).toBe(`Dr. ${login}`);
    await page.getByText('No friends yet').or(page.locator('#no-friends')).first().waitFor();
    const [begun] = asked.filter(({ searchParams }) => searchParams.has('code_challenge'));
    expect(Object.fromEntries(begun?.searchParams ?? [])).toMatchObject({
      response_type: 'code',
      code_challenge_method: 'S256',
      client_id: clientId,
      redirect_uri: address,
      nonce: expect.stringMatching(/^[\w-]{43}$/),
      state: expect.stringMatching(/^[\w-]{43}$/),
    });
    const rows = await deps.db
      .selectFrom('user_identities')
      .innerJoin('users', 'users.id', 'user_identities.user_id')
      .select(['users.name', 'users.email'])
      .where('subject', '=', login)
      .execute();
    expect(rows).toEqual([{ name: `Dr. ${login}`, email: `${login}@example.com` }]);
    // Neither the address nor the tab's storage has the code or the token.
    expect(page.url()).toBe(address);
    expect(await page.evaluate('JSON.stringify({ ...sessionStorage, ...localStorage })')).toBe('{}');
  });

  it('a reload forgets the token, and the issuer gives another without a password', async () => {
    const page = await open();
    await signIn(page, 'grace');
    await page.getByRole('heading', { name: 'Pictures' }).waitFor();
    await page.reload();
    await begin(page);
    await page.getByRole('heading', { name: 'Pictures' }).waitFor();
    expect(await page.locator('#user').textContent()).toBe('Dr. grace');
  });

  it('an answer that this tab did not ask for is refused, and its code is not used', async () => {
    const page = await open('?code=stolen&state=guessed');
    await page.getByText('This tab has not asked for that sign-in').waitFor();
    expect(await page.locator('#work').isVisible()).toBe(false);
    expect(page.url()).toBe(address);
    expect(asked.filter(({ origin }) => origin === issuer)).toEqual([]);
  });

  it('a user who cancels at the issuer finds the reason on the page', async () => {
    const page = await open();
    await begin(page);
    await page.getByRole('link', { name: 'Cancel' }).click();
    await page.getByText('The issuer did not sign you in (access_denied)').waitFor();
  });
});
