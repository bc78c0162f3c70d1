import type { FastifyInstance } from 'fastify';
import { Problem } from '../http/problem.ts';
import { type Access, roleMissing } from './access.ts';
import { boardHeader, type Role } from './api-types.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who sends the request; empty on routes without a check. */
    user: string;
    role: Role | null;
    /** When the user's token expires, in milliseconds since 1970; undefined without a token. */
    until: number | undefined;
  }
  interface FastifyContextConfig {
    /** Whether the route needs no token. */
    isOpen?: boolean;
  }
}

/** Names in URLs of this machine. A page of another site may have a name that resolves to its address. */
const ownNames = new Set(['127.0.0.1', '[::1]', '::1', 'localhost']);

/** Values of `Sec-Fetch-Site` (Fetch Metadata) for the request of another page; a page at another port is of the same site. */
const otherSites = new Set(['cross-site', 'same-site']);

/** Adds the checks of every request: its host, its user and the user's role. */
export function addGuard(app: FastifyInstance, access: Access): void {
  app.decorateRequest('user', '');
  app.decorateRequest('role', null);
  app.decorateRequest('until', undefined);
  app.addHook('onRequest', async (request) => {
    const { method, headers, hostname, routeOptions } = request;
    // A token in a header is proof enough: a browser adds none by itself.
    if (!access.needsToken && !ownNames.has(hostname)) {
      const names = '127.0.0.1 or localhost';
      throw new Problem(421, 'Misdirected Request', `host: expected ${names}, got "${hostname}"`);
    }
    const changes = method !== 'GET' && method !== 'HEAD';
    // A form of another site can send neither this header nor JSON.
    if (changes && headers[boardHeader.toLowerCase()] !== '1')
      throw new Problem(403, 'Forbidden', `header ${boardHeader}: expected 1`);
    if (routeOptions.config.isOpen) return;
    // A page of another site cannot read the answer, but it could have the broker searched and spied on.
    if (!access.needsToken && otherSites.has(String(headers['sec-fetch-site'])))
      throw new Problem(403, 'Forbidden', 'sec-fetch-site: expected a request of the board itself');
    const { user, role, until } = await identified(access, headers.authorization);
    if (role === null) throw roleMissing('viewer');
    if (changes && role !== 'operator') throw roleMissing('operator');
    request.user = user;
    request.role = role;
    request.until = until;
  });
}

/**
 * Returns the user of a token.
 *
 * @throws Problem 401 with the way to sign in; otherwise as `Access.identify`.
 */
export async function identified(access: Access, authorization: string | undefined) {
  try {
    return await access.identify(authorization);
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 401 || !access.signIn) throw error;
    const { status, title, detail, headers } = error;
    throw new Problem(status, title, detail, headers, { sign_in: access.signIn });
  }
}
