import fastify, { type FastifyInstance } from 'fastify';
import { WarrenError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { NoDeadLetterIndexError } from '../dead-letters/entries.ts';
import { sendError, sendNoRoute } from '../hosts/http/answers.ts';
import { Problem, toProblem } from '../http/problem.ts';
import { problemSecurity } from '../http/security.ts';
import { addGuard } from './guard.ts';
import { addJobRoutes, type JobRouteParts } from './job-routes.ts';
import { addLetterRoutes, type LetterRouteParts } from './letter-routes.ts';
import { addLiveRoutes, type LiveRouteParts } from './live/live-routes.ts';
import type { PageFiles } from './page-files.ts';
import { addPageRoutes } from './page-routes.ts';
import { addSessionRoute, type SessionParts } from './session-route.ts';

export interface AppParts extends JobRouteParts, LetterRouteParts, LiveRouteParts, SessionParts {
  page: PageFiles;
  log: Log;
}

/** Bytes of a request; a selection of 100,000 ids has about 4 MB. */
const bodyLimit = 8_000_000;

/** Creates the board's web server, which does not listen yet. */
export async function createApp(parts: AppParts): Promise<FastifyInstance> {
  const { log, access, follower, index, page } = parts;
  const security = await problemSecurity();
  const app = fastify({ bodyLimit, forceCloseConnections: true });
  // A page of another site may send text without asking.
  app.removeContentTypeParser('text/plain');
  app.setErrorHandler((error, request, reply) => {
    sendError(log, problemOf(error), request, reply);
  });
  app.setNotFoundHandler(sendNoRoute);
  app.addHook('onRequest', async (_request, reply) => {
    reply.headers({ ...security, 'Cache-Control': 'no-store' });
  });
  addGuard(app, access);
  addPageRoutes(app, page, () => access.origins());
  addSessionRoute(app, parts);
  addLiveRoutes(app, parts);
  await app.register(async (scope) => {
    scope.addHook('onRequest', async () => {
      // Before the first update, the index would seem to be empty.
      if (!follower.updatedAt) throw follower.problem ?? beingRead(index.size);
    });
    addLetterRoutes(scope, parts);
    addJobRoutes(scope, parts);
  });
  return app;
}

/** @param read number of dead letters so far. */
const beingRead = (read: number): Problem =>
  new Problem(503, 'Unavailable', 'the index is being read', { 'retry-after': '1' }, { read });

function problemOf(error: unknown): unknown {
  if (error instanceof NoDeadLetterIndexError) return new Problem(503, 'No index', error.message);
  return error instanceof WarrenError ? toProblem(error) : error;
}
