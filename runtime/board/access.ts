import { userInfo } from 'node:os';
import { Problem } from '../http/problem.ts';
import { bearerToken, refuseToken, tokenCheck } from '../tokens/bearer.ts';
import { checkAudience, checkRequired, refuseClaim, textsOf } from '../tokens/claims.ts';
import { createDiscovery } from '../tokens/discovery.ts';
import { issuerKeys } from '../tokens/issuer-keys.ts';
import type { BoardSettings } from './access-settings.ts';
import type { Role, SignIn } from './api-types.ts';

/** A user of the board. */
export interface BoardUser {
  user: string;
  /** null if the token grants none. */
  role: Role | null;
  /** When the token expires, in milliseconds since 1970; undefined without a token. */
  until?: number | undefined;
}

/** Who may use the board. */
export interface Access {
  /** Whether each request needs a token. */
  needsToken: boolean;
  signIn: SignIn | null;
  /**
   * @param authorization the header as it came.
   * @throws Problem 401 without a valid token, UnavailableError if the issuer's keys cannot be fetched.
   */
  identify(authorization: string | undefined): Promise<BoardUser>;
  /** Origins of the issuer, to which the page sends requests. It does not throw. */
  origins(): Promise<string[]>;
}

/** The access of a board without an issuer: programs of this machine, in the name of the board's own user. */
export function localAccess(): Access {
  const username = localUser();
  return {
    needsToken: false,
    signIn: null,
    identify: async () => ({ user: username, role: 'operator' }),
    origins: async () => [],
  };
}

/** The name of the process's user; in a container, its user may have none. */
function localUser(): string {
  try {
    return userInfo().username;
  } catch {
    return `user ${process.getuid?.() ?? 'unknown'}`;
  }
}

/**
 * The access of a board with an issuer: users whose token names a role.
 *
 * @param issuer its name, BOARD_ISSUER.
 */
export function issuerAccess(issuer: string, settings: BoardSettings): Access {
  const { BOARD_JWKS_URL, BOARD_CLIENT_ID: client, BOARD_CLIENT_SCOPE: scope } = settings;
  const parameters = Object.fromEntries(new URLSearchParams(settings.BOARD_CLIENT_PARAMETERS));
  const check = tokenCheck(issuerKeys(issuer, BOARD_JWKS_URL), issuer);
  const discover = createDiscovery(issuer);
  const read = async (token: string): Promise<BoardUser> => {
    const claims = await check(token);
    checkAudience(claims, settings.BOARD_AUDIENCE ?? [], settings.BOARD_AUDIENCE_CLAIM);
    for (const required of settings.BOARD_REQUIRED_CLAIMS ?? []) checkRequired(claims, required);
    const user = claims[settings.BOARD_USER_CLAIM];
    if (typeof user !== 'string' || user === '') return refuseClaim(claims, settings.BOARD_USER_CLAIM);
    const until = claims.exp === undefined ? undefined : claims.exp * 1000;
    return { user: user.slice(0, 255), role: roleOf(claims, settings), until };
  };
  return {
    needsToken: true,
    signIn: client === undefined ? null : { authority: issuer, client_id: client, scope, parameters },
    identify: async (authorization) => read(bearerToken(authorization)).catch(refuseToken),
    async origins() {
      if (client === undefined) return [];
      const { token_endpoint: endpoint } = await discover().catch(() => ({ token_endpoint: undefined }));
      const urls = endpoint === undefined ? [issuer] : [issuer, endpoint];
      return [...new Set(urls.map((url) => new URL(url).origin))];
    },
  };
}

function roleOf(
  claims: Readonly<Record<string, unknown>>,
  { BOARD_ROLE_CLAIM, BOARD_VIEWERS, BOARD_OPERATORS }: BoardSettings,
): Role | null {
  const value = claims[BOARD_ROLE_CLAIM] ?? nested(claims, BOARD_ROLE_CLAIM.split('.'));
  const granted = new Set(typeof value === 'string' ? value.split(' ') : textsOf(value));
  if (BOARD_OPERATORS.some((each) => granted.has(each))) return 'operator';
  return BOARD_VIEWERS.some((each) => granted.has(each)) ? 'viewer' : null;
}

/** A claim in other claims: Keycloak has its roles in `realm_access.roles`. */
const nested = (claims: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>(
    (inner, name) =>
      typeof inner === 'object' && inner !== null && Object.hasOwn(inner, name)
        ? (inner as Record<string, unknown>)[name]
        : undefined,
    claims,
  );

/** The answer to a request without the role that it needs. */
export const roleMissing = (role: Role): Problem =>
  new Problem(403, 'Not allowed', `the token does not grant the role ${role}`);
