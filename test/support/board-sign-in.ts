import type { Page } from 'playwright-core';
import { afterAll } from 'vitest';
import { issuerAccess } from '../../runtime/board/access.ts';
import { boardSettings } from '../../runtime/board/access-settings.ts';
import type { BoardOptions } from '../../runtime/board/board.ts';
import { readSettings } from '../../runtime/settings/read.ts';
import { type BoardPage, boardPage, openBoardPage } from './board-page.ts';
import { publishAllDead } from './dead-letters.ts';
import { type Oidc, signInAt, startOidc } from './oidc.ts';

const audience = 'https://board.example.com';
/** The roles of a login. Others have none. */
const roles: Record<string, string[]> = { vera: ['staff'], otto: ['ops'], gil: ['guests'] };

/** A board with an issuer and dead letters, whose users are the viewer `vera`, the operator `otto` and others without a role. */
export interface SignInBoard {
  board: BoardPage;
  /** Sets the seconds until the next token expires, at first 3600. */
  nextToken(seconds: number): void;
  signIn(page: Page, login: string): Promise<void>;
}

/**
 * Opens it before the tests of a file, and closes it after them.
 *
 * @param ids of the dead letters of the queue `charge-card`.
 */
export function signInBoard(ids: readonly string[], options: Partial<BoardOptions> = {}): SignInBoard {
  let oidc: Oidc;
  let seconds = 3600;
  const open = async () => {
    oidc = await startOidc();
    const env = {
      BOARD_ISSUER: oidc.issuer,
      BOARD_AUDIENCE: audience,
      BOARD_CLIENT_ID: 'board-page',
      BOARD_CLIENT_SCOPE: 'openid email board',
      BOARD_CLIENT_PARAMETERS: `resource=${audience}`,
      BOARD_USER_CLAIM: 'email',
      BOARD_ROLE_CLAIM: 'roles',
      BOARD_VIEWERS: 'staff',
      BOARD_OPERATORS: 'ops',
    };
    const access = issuerAccess(oidc.issuer, readSettings({ board: boardSettings }, env).board);
    const section = { deadLetterIndex: true, queues: { 'charge-card': {} } };
    return openBoardPage(section, { access, issuer: oidc.issuer, ...options });
  };
  const prepare = async ({ base, vhost }: BoardPage) => {
    oidc.serve({
      clientId: 'board-page',
      redirectUri: `${base}/`,
      audience,
      scope: 'board',
      seconds: () => seconds,
      claims: (login) => ({ roles: roles[login] ?? [] }),
    });
    const error = 'TimeoutError: the payment gateway did not answer within 5 s';
    await publishAllDead(
      vhost.channel,
      ids.map((id) => ({ id, queue: 'charge-card', error })),
    );
  };
  afterAll(() => oidc?.close());
  return {
    board: boardPage(open, prepare),
    nextToken(value) {
      seconds = value;
    },
    async signIn(page, login) {
      await page.getByRole('button', { name: 'Sign in', exact: true }).click();
      await signInAt(page, login);
    },
  };
}
