import { userInfo } from 'node:os';
import type { FastifyInstance } from 'fastify';
import { Problem } from '../http/problem.ts';
import { boardHeader } from './api-types.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who sends the request. */
    user: string;
  }
}

/** Adds the checks of every request. */
export function addGuard(app: FastifyInstance): void {
  const { username } = userInfo();
  app.decorateRequest('user', '');
  app.addHook('onRequest', async (request) => {
    request.user = username;
    if (request.method === 'GET' || request.method === 'HEAD') return;
    // A form of another site can send neither this header nor JSON.
    if (request.headers[boardHeader.toLowerCase()] !== '1')
      throw new Problem(403, 'Forbidden', `header ${boardHeader}: expected 1`);
  });
}
