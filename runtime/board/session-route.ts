import type { FastifyInstance } from 'fastify';
import type { Access } from './access.ts';
import type { Problems, Session, Source } from './api-types.ts';
import { identified } from './guard.ts';

export interface SessionParts {
  access: Access;
  vhost: string;
  /** Product, version and address of the broker. It does not throw. */
  broker: () => Promise<string>;
  /** Version of this package. */
  version: string;
  sources: () => Source[];
  /** Mistakes of the project that are not mended; undefined if its functions do not run beside the board. */
  problems?: (() => string[]) | undefined;
}

/** Adds `GET /api/session` and `GET /api/problems`. Without a token, the answer has the way to sign in. */
export function addSessionRoute(app: FastifyInstance, parts: SessionParts): void {
  const { access, vhost, broker, version, sources, problems } = parts;
  if (problems) app.get('/api/problems', async (): Promise<Problems> => ({ problems: problems() }));
  app.get('/api/session', { config: { isOpen: true } }, async ({ headers }): Promise<Session> => {
    const isAnonymous = access.needsToken && headers.authorization === undefined;
    const { user, role } = isAnonymous
      ? { user: null, role: null }
      : await identified(access, headers.authorization);
    // What runs here and what the broker has, only users may know.
    const isKnown = role !== null;
    return {
      user,
      role,
      vhost: isKnown ? vhost : '',
      broker: isKnown ? await broker() : '',
      sign_in: access.signIn,
      version: isKnown ? version : '',
      sources: isKnown ? sources() : [],
      development: problems !== undefined,
    };
  });
}
