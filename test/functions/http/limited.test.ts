import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { httpEvent } from 'warren/testing';
import { bearer, uniqueId } from '../../support/deps.ts';
import { context } from '../../support/events.ts';
import { type ImportedRoute, importRoutes } from '../../support/routes.ts';
import { stack } from '../../support/stack.ts';

/** Routes with a limit for each user, and the setting that has it. */
const limited = [
  ['POST /alerts', 'RATE_LIMIT_ALERTS'],
  ['POST /pictures', 'RATE_LIMIT_UPLOADS'],
  ['POST /uploads', 'RATE_LIMIT_UPLOADS'],
  ['POST /pictures/{id}/complete', 'RATE_LIMIT_UPLOADS'],
  ['POST /dog-walks', 'RATE_LIMIT_ORDERS'],
  ['POST /dog-washes', 'RATE_LIMIT_ORDERS'],
  ['PUT /users/{id}/friends/{friend_id}', 'RATE_LIMIT_FRIENDS'],
] as const;

let routes: Awaited<ReturnType<typeof importRoutes>>;
beforeAll(async () => {
  const rates = Object.fromEntries(limited.map(([, setting]) => [setting, '2/hour']));
  const settings = { ...stack, ...rates, LOG_LEVEL: 'silent' };
  for (const [name, value] of Object.entries(settings)) vi.stubEnv(name, value);
  routes = await importRoutes();
}, 60_000);
afterAll(() => void vi.unstubAllEnvs());

it.each(limited)('%s, as it is deployed, answers 429 to the third request if %s allows two', async (name) => {
  const { handler, method, path } = routes.get(name) as ImportedRoute;
  const ask = async (user: number) => {
    const authorization = await bearer(user);
    return handler(
      httpEvent({ method, path, authorization, body: {}, parameters: { id: '1', friend_id: '2' } }),
      context,
    );
  };
  const user = uniqueId();
  // Their content is refused, and they are counted nevertheless.
  for (const _time of [1, 2]) expect((await ask(user)).statusCode).toBeOneOf([403, 404, 415, 422]);
  const refused = await ask(user);
  expect(refused).toMatchObject({
    statusCode: 429,
    headers: { 'retry-after': expect.stringMatching(/^\d+$/) },
  });
  expect(Number(refused.headers?.['retry-after'])).toBeGreaterThan(1000);
  expect(JSON.parse(refused.body ?? '')).toMatchObject({ status: 429, title: 'Too many requests' });
  expect((await ask(uniqueId())).statusCode).not.toBe(429);
});
