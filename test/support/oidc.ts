import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider from 'oidc-provider';
import type { Page } from 'playwright-core';

export interface OidcClient {
  clientId: string;
  /** Address of the page that signs in. */
  redirectUri: string;
  /** The API for which the access tokens are. */
  audience: string;
  /** Scopes besides those of OpenID Connect, with spaces between them. */
  scope: string;
  /** Seconds until the next access token expires, default an hour. */
  seconds?: () => number;
  /** Further claims of a user's access token. */
  claims: (login: string) => object;
}

/** `oidc-provider` on this machine: a sign-in with any login and any password. */
export interface Oidc {
  /** Name of the issuer. */
  issuer: string;
  /** Begins to answer, for one page. */
  serve(client: OidcClient): void;
  close(): Promise<void>;
}

/** Starts an issuer. A page that signs in needs its name, and it needs the page's address, so that `serve` comes later. */
export async function startOidc(): Promise<Oidc> {
  let callback: ReturnType<Provider['callback']> = () => undefined;
  const server = createServer((request, response) => callback(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    issuer,
    serve(client) {
      callback = providerOf(issuer, client).callback();
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function providerOf(
  issuer: string,
  { clientId, redirectUri, audience, scope, claims, seconds = () => 3600 }: OidcClient,
) {
  const email = (login: string) => ({ email: `${login}@example.com`, email_verified: true });
  return new Provider(issuer, {
    clients: [
      {
        client_id: clientId,
        token_endpoint_auth_method: 'none',
        redirect_uris: [redirectUri],
        grant_types: ['authorization_code'],
        response_types: ['code'],
      },
    ],
    scopes: ['openid', 'profile', 'email', ...scope.split(' ')],
    claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'] },
    conformIdTokenClaims: false,
    findAccount: (_context: unknown, id: string) => ({
      accountId: id,
      claims: () => ({ sub: id, name: `Dr. ${id}`, ...email(id) }),
    }),
    extraTokenClaims: (_context: unknown, { accountId }: { accountId: string }) => ({
      name: `Dr. ${accountId}`,
      ...email(accountId),
      ...claims(accountId),
    }),
    clientBasedCORS: () => true,
    pkce: { required: () => true },
    cookies: { keys: ['a key of this test'] },
    features: {
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope,
          audience,
          accessTokenFormat: 'jwt',
          accessTokenTTL: seconds(),
        }),
      },
    },
  });
}

/** Fills in the issuer's own pages. */
export async function signInAt(page: Page, login: string): Promise<void> {
  await page.getByPlaceholder('Enter any login').fill(login);
  await page.getByPlaceholder('and password').fill('any');
  await page.getByRole('button', { name: 'Sign-in' }).click();
  await page.getByRole('button', { name: 'Continue' }).click();
}
