import { afterEach, describe, expect, it, vi } from 'vitest';
import { httpEvent } from 'warren/testing';
import { projectFile } from '../../dev/stack/project.ts';
import { localFunctions } from '../../runtime/hosts/load.ts';
import { bearer } from '../support/deps.ts';
import { context } from '../support/events.ts';
import { stack } from '../support/stack.ts';

const settings = [
  'AMQP_URL',
  'DATABASE_URL',
  'S3_BUCKET',
  'SMTP_URL',
  'ALERT_ROUTES',
  'AUTH_JWT_SECRET',
  'UNSUBSCRIBE_SECRET',
  'PUBLIC_URL',
];
const [broker, database, storage, mail, routes, auth, unsubscribe, links] = settings;

type Handler = (event: unknown, context: unknown) => Promise<unknown>;
const load = async (path: string) => {
  const { href } = new URL(`../../functions/${path}.ts`, import.meta.url);
  const { handler } = (await import(href)) as { handler: Handler };
  return handler;
};

describe('the handler that a host calls', () => {
  afterEach(() => void vi.unstubAllEnvs());

  it.each([
    ['alerts/raise', [broker, database, auth]],
    ['alerts/email', [broker, database, mail, routes]],
    ['alerts/flush', [broker, database, mail, routes]],
    ['alerts/log', [broker, database]],
    ['pictures/upload', [broker, database, storage, auth]],
    ['pictures/get', [database, storage, auth]],
    ['pictures/resize', [broker, database, storage]],
    ['pictures/add-points', [broker, database]],
    ['pictures/notify-friends', [broker, database, mail, unsubscribe, links]],
    ['pictures/send-digests', [database, mail, unsubscribe, links]],
    ['pictures/presign', [database, storage, auth]],
    ['pictures/complete', [broker, database, storage, auth]],
    ['pictures/list', [database, storage, auth]],
    ['pictures/delete', [database, storage, auth]],
    ['pictures/announce', [broker, database]],
    ['pictures/clean-up', [database, storage]],
    ['pictures/log', [broker, database]],
    ['rpc/call', [broker, database, auth]],
    ['rpc/ping', [broker]],
    ['rpc/describe-picture', [broker, database, storage]],
    ['users/points', [database, auth]],
    ['users/friends', [database, auth]],
    ['users/add-friend', [database, auth]],
    ['users/remove-friend', [database, auth]],
    ['users/mails', [database, auth]],
    ['users/unsubscribe', [database, unsubscribe]],
    ['page/show', [storage]],
    ['page/sign-in', [auth]],
    ['page/queues', [broker, auth]],
    ['bookings/order-walk', [broker, database, auth]],
    ['bookings/order-wash', [broker, database, auth]],
    ['bookings/get', [database, auth]],
    ['bookings/list', [database, auth]],
    ['bookings/walk', [broker, database, mail]],
    ['bookings/wash', [broker, database]],
    ['operations/watch-queues', [broker]],
    ['operations/check-parts', [broker, database, storage, auth]],
  ])(
    'of %s reads only %j from the environment, and reports every missing variable at once',
    async (path, expected) => {
      for (const name of [...settings, 'AUTH_JWKS_URL']) vi.stubEnv(name, '');
      const handler = await load(path);
      const error = await handler({}, context).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'ERR_CONFIG' });
      const named = [...String(error).matchAll(/^ {2}(\w+):/gm)].map(([, name]) => name);
      expect(named.sort()).toEqual([...expected].sort());
    },
  );

  it('starts at the next call after the environment is corrected', async () => {
    vi.stubEnv('DATABASE_URL', '');
    const handler = await load('users/points');
    const event = httpEvent({ parameters: { id: '5' }, authorization: await bearer(5) });
    await expect(handler(event, context)).rejects.toMatchObject({ code: 'ERR_CONFIG' });
    for (const [name, value] of Object.entries(stack)) vi.stubEnv(name, value);
    vi.stubEnv('LOG_LEVEL', 'silent');
    expect(await handler(event, context)).toMatchObject({ statusCode: 200 });
  });
});

describe('ALERT_ROUTES', () => {
  const functions = {
    'email-alert': {
      handler: 'functions/alerts/email.handler',
      events: [{ rabbitmq: { queue: 'critical' } }, { rabbitmq: { queue: 'pager' } }],
    },
  };
  const startWith = (ALERT_ROUTES: object) => {
    const env = { ...process.env, ...stack, ALERT_ROUTES: JSON.stringify(ALERT_ROUTES) };
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
    const host = { manifest: { functions }, folder: projectFile('.'), env: process.env };
    return localFunctions(host, ['email-alert']).get('email-alert')?.load();
  };
  const route = { subject: 'ALERT', to: 'ops@example.com' };
  afterEach(() => {
    vi.unstubAllEnvs();
    // The module keeps what it has opened.
    vi.resetModules();
  });

  it('routes: a queue without a route is refused when the function starts, with the queue and the setting', async () => {
    await expect(startWith({ critical: route })).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      message: 'ALERT_ROUTES has no entry for the queue "pager"',
    });
  });

  it('routes: a wrong recipient is refused when the function starts', async () => {
    await expect(startWith({ critical: route, pager: { ...route, to: 'a@' } })).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      message: expect.stringContaining('ALERT_ROUTES.pager.to'),
    });
  });

  it('routes: the function starts if each of its queues has a route, and a further route does no harm', async () => {
    await startWith({ critical: route, pager: route, rest: route });
  });
});
