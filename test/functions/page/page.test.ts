import { readdir, readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { httpEvent } from 'warren/testing';
import { parse } from 'yaml';
import { createHandler as createQueuesHandler } from '../../../functions/page/queues.ts';
import { createHandler as createShow } from '../../../functions/page/show.ts';
import { createHandler as createSignIn } from '../../../functions/page/sign-in.ts';
import { readSettings } from '../../../runtime/settings/read.ts';
import { type Binding, compileTopology } from '../../../runtime/topology/compile.ts';
import { readSection } from '../../../runtime/topology/schema.ts';
import { createPageSignIn } from '../../../shared/auth/page-sign-in.ts';
import { authSettings } from '../../../shared/auth/settings.ts';
import { signInSettings } from '../../../shared/auth/sign-in.ts';
import { createAuthenticate, scopes } from '../../../shared/auth/tokens.ts';
import { storageSettings } from '../../../shared/storage/settings.ts';
import { createStorage } from '../../../shared/storage/storage.ts';
import { bearer, openDeps, uniqueId } from '../../support/deps.ts';
import { context } from '../../support/events.ts';
import { stack } from '../../support/stack.ts';

const deps = openDeps();
afterAll(() => deps.close());

const folder = 'functions/page/files';

describe('GET / and GET /page/{file}', () => {
  const get = async (file?: string, headers = {}, storage = deps.storage) => {
    const event = httpEvent(file === undefined ? {} : { parameters: { file } });
    const reply = await createShow({ storage })({ ...event, headers }, context);
    return { status: reply.statusCode, headers: reply.headers ?? {}, body: reply.body ?? '' };
  };
  let files: string[];
  beforeAll(async () => {
    files = await readdir(folder);
  });

  it('serves the page without a token, with a policy that allows only what it needs', async () => {
    const { status, headers, body } = await get();
    expect([status, headers['content-type'], body.slice(0, 15)]).toEqual([
      ...[200, 'text/html; charset=utf-8', '<!doctype html>'],
    ]);
    const origin = new URL(stack.S3_ENDPOINT).origin;
    expect(headers['content-security-policy']?.toString().split('; ')).toEqual([
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      `img-src 'self' data: blob: ${origin}`,
      `connect-src 'self' ${origin}`,
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      "require-trusted-types-for 'script'",
      "trusted-types 'none'",
    ]);
    expect(headers).toMatchObject({ 'X-Content-Type-Options': 'nosniff', 'Referrer-Policy': 'no-referrer' });
  });

  it('names no issuer without a client, and is served while the issuer is unavailable', async () => {
    expect(JSON.parse((await get('sign-in.json')).body)).toEqual({ issuer: null });
    const signIn = createPageSignIn({
      AUTH_ISSUER: 'http://127.0.0.1:9',
      AUTH_CLIENT_ID: 'page',
      AUTH_CLIENT_SCOPE: 'openid',
    });
    const show = createShow({ storage: deps.storage, signIn });
    expect((await show(httpEvent({}), context)).statusCode).toBe(200);
    const asked = await show(httpEvent({ parameters: { file: 'sign-in.json' } }), context);
    expect(asked).toMatchObject({ statusCode: 503, headers: { 'retry-after': expect.anything() } });
    expect(asked.body).not.toContain('127.0.0.1');
  });

  it('allows the origin of the storage', async () => {
    const policy = async (settings: Record<string, string>) => {
      const env = { S3_BUCKET: 'pictures-of-ours', AWS_REGION: 'eu-central-1', ...settings };
      const keys = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'key' };
      const { storage } = readSettings({ storage: storageSettings }, { ...env, ...keys });
      return String((await get(undefined, {}, createStorage(storage))).headers['content-security-policy']);
    };
    const amazon = 'https://pictures-of-ours.s3.eu-central-1.amazonaws.com';
    const direct = await policy({});
    expect(direct).toContain(`blob: ${amazon};`);
    expect(direct).toContain(`connect-src 'self' ${amazon};`);
    const behind = await policy({ S3_PUBLIC_URL: 'https://pictures.example.com/all' });
    expect(behind).toContain('blob: https://pictures.example.com;');
    expect(behind).toContain(`connect-src 'self' ${amazon};`);
  });

  it('serves each file of the page with its content type', async () => {
    const asked = new Set<string>();
    for (const file of files) {
      const text = await readFile(`${folder}/${file}`, 'utf8');
      for (const [, name = ''] of text.matchAll(/(?:"page\/|from '\.\/)([\w.-]+)['"]/g)) asked.add(name);
    }
    expect([...asked, 'index.html'].sort()).toEqual([...files].sort());
    const types: Record<string, string> = { js: 'text/javascript', css: 'text/css', svg: 'image/svg+xml' };
    for (const name of asked) {
      const { status, headers, body } = await get(name);
      expect([status, body]).toEqual([200, await readFile(`${folder}/${name}`, 'utf8')]);
      expect(headers['content-type']).toContain(types[name.split('.').pop() ?? '']);
      expect(headers['X-Content-Type-Options']).toBe('nosniff');
    }
  });

  it('answers 304 for a file in the cache of the browser', async () => {
    const { headers } = await get('app.js');
    expect(headers['cache-control']).toBe('no-cache');
    const etag = String(headers['etag']);
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`]) {
      expect(await get('app.js', { 'if-none-match': known })).toMatchObject({ status: 304, body: '' });
    }
    expect(await get('app.js', { 'if-none-match': '"other"' })).toMatchObject({ status: 200 });
    expect((await get('style.css')).headers['etag']).not.toBe(etag);
  });

  it.each(['', '.', '..', '../show.ts', '../../../package.json', '/etc/passwd', 'app.js/', 'App.js', 'app'])(
    'has no file %j',
    async (name) => {
      const reply = await get(name);
      expect([reply.status, reply.headers['content-type']]).toEqual([404, 'application/problem+json']);
    },
  );

  it('is packaged with its files, and the queues function with the topology', async () => {
    const yml = parse(await readFile('serverless.yml', 'utf8'), { merge: true }) as {
      functions: Record<string, { package?: { patterns: string[] } }>;
    };
    expect(yml.functions['show-page']?.package?.patterns).toEqual([`${folder}/**`]);
    expect(yml.functions['list-queues']?.package?.patterns).toEqual(['serverless.yml']);
  });

  it('is small, has no inline code and uses no other host', async () => {
    let bytes = 0;
    for (const file of files) {
      const text = await readFile(`${folder}/${file}`, 'utf8');
      bytes += Buffer.byteLength(text);
      expect(text.replaceAll('xmlns="http://www.w3.org/2000/svg"', ''), file).not.toMatch(/https?:\/\//);
      expect(text, file).not.toMatch(/<script>|<style|\sstyle=|\son\w+="|innerHTML|@import/);
    }
    expect(bytes).toBeLessThan(75_000);
  });
});

describe('POST /session', () => {
  const secret = stack.AUTH_JWT_SECRET;
  const signIn = async (env: Record<string, string>, body: unknown = { user_id: 7 }) => {
    const config = readSettings(
      { auth: authSettings, development: signInSettings },
      { AUTH_JWT_SECRET: secret, ...env },
    );
    const reply = await createSignIn(config)(httpEvent({ body }), context);
    return { status: reply.statusCode, body: JSON.parse(reply.body ?? '') as Record<string, unknown> };
  };
  const here = { WARREN_DEV_SIGN_IN: 'true' };
  const issuer = {
    AUTH_JWKS_URL: 'https://issuer.example.com/jwks.json',
    AUTH_ISSUER: 'https://issuer.example.com',
    AUTH_AUDIENCE: 'warren',
  };

  it('returns a token of the user with all scopes, for an hour', async () => {
    const { status, body } = await signIn(here);
    expect([status, body['user_id'], body['expires_in']]).toEqual([201, 7, 3600]);
    const { auth } = readSettings({ auth: authSettings }, stack);
    const user = await createAuthenticate(auth)(`Bearer ${body['token']}`);
    expect(user).toEqual({ key: '7', scopes: new Set(scopes) });
  });

  it.each([
    ['no setting for development', {}],
    ['the setting switched off', { WARREN_DEV_SIGN_IN: 'false' }],
    ['a configured issuer', { ...here, ...issuer }],
  ])('answers 404 with %s', async (_why, env) => {
    expect(await signIn(env)).toMatchObject({ status: 404, body: { title: 'No sign-in here' } });
  });

  it.each([{}, { user_id: 0 }, { user_id: 'me' }, { user_id: -1 }, []])('refuses %j', async (body) => {
    expect(await signIn(here, body)).toMatchObject({ status: 422 });
  });

  it('cannot be enabled in a deployment, regardless of the environment', async () => {
    const yml = parse(await readFile('serverless.yml', 'utf8'), { merge: true }) as {
      provider: { environment: Record<string, string> };
      functions: Record<string, { environment?: Record<string, string> }>;
    };
    // Empty, and not a variable of serverless.yml: `npm start` sets it for its own functions.
    expect(yml.functions['sign-in']?.environment?.['WARREN_DEV_SIGN_IN']).toBe('');
    expect(yml.provider.environment).not.toHaveProperty('WARREN_DEV_SIGN_IN');
    expect(Object.keys(stack)).not.toContain('WARREN_DEV_SIGN_IN');
  });
});

describe('GET /queues', () => {
  it('returns names in snake case, and the number of dead letters', async () => {
    const state = {
      ready: 2,
      inFlight: 1,
      retrying: 5,
      overdue: 0,
      consumers: 3,
      bindings: [{ exchange: 'e', routingKey: 'a.*' }],
    };
    const letters = { ready: 4, inFlight: null, retrying: 0, overdue: 0, consumers: 0, bindings: [] };
    const read = async () => [
      { queue: 'work', kind: 'work' as const, ...state },
      { queue: 'warren.dead-letters', kind: 'dead-letters' as const, ...letters },
    ];
    const ask = async (authorization: string, board?: string) => {
      const handler = createQueuesHandler({ ...deps, queues: { read }, board });
      return handler(httpEvent({ authorization }), context);
    };
    expect(JSON.parse((await ask(await bearer(uniqueId()))).body ?? '')).toEqual({
      queues: [
        {
          queue: 'work',
          kind: 'work',
          ready: 2,
          in_flight: 1,
          retrying: 5,
          overdue: 0,
          consumers: 3,
          bindings: [{ exchange: 'e', routing_key: 'a.*' }],
        },
        {
          queue: 'warren.dead-letters',
          kind: 'dead-letters',
          ready: 4,
          in_flight: null,
          retrying: 0,
          overdue: 0,
          consumers: 0,
          bindings: [],
        },
      ],
      dead_letters: 4,
      board: null,
    });
    const board = 'https://board.example.com';
    const linked = await ask(await bearer(uniqueId()), board);
    expect(JSON.parse(linked.body ?? '')).toMatchObject({ board });
    expect(await ask(await bearer(uniqueId(), ['pictures:write']))).toMatchObject({ statusCode: 403 });
    expect(await ask('')).toMatchObject({ statusCode: 401 });
  });
});

describe('the queues that the page shows for an alert', () => {
  const { href } = new URL(`../../../${folder}/alerts.js`, import.meta.url);
  const queuesFor = async (key: string, bindings: Record<string, string[]>) => {
    const module = (await import(href)) as {
      queuesFor(key: string, bindings: (Omit<Binding, 'routingKey'> & { routing_key: string })[]): string[];
    };
    const all = Object.entries(bindings).flatMap(([queue, keys]) =>
      keys.map((routing_key) => ({ queue, exchange: 'alerts', routing_key })),
    );
    return module.queuesFor(key, all);
  };

  it('match the topology', async () => {
    const yml = parse(await readFile('serverless.yml', 'utf8'), { merge: true }) as {
      custom: { warren: unknown };
    };
    const { bindings } = compileTopology(readSection(yml.custom.warren));
    const alerts = Object.fromEntries(
      bindings.flatMap(({ exchange, queue, routingKey }) =>
        exchange === 'alerts' ? [[queue, [routingKey]]] : [],
      ),
    );
    expect(await queuesFor('critical.rate_limit', alerts)).toEqual(['critical', 'rate_limit', 'alert-log']);
    expect(await queuesFor('critical.web', alerts)).toEqual(['critical', 'alert-log']);
    expect(await queuesFor('info.deploy', alerts)).toEqual(['alert-log']);
    expect(await queuesFor('info', alerts)).toEqual([]);
  });

  // The examples of AMQP 0-9-1, 3.1.3.3, and edge cases.
  it.each([
    ['*.stock.#', 'usd.stock', true],
    ['*.stock.#', 'eur.stock.db', true],
    ['*.stock.#', 'stock.nasdaq', false],
    ['#', '', true],
    ['#', 'a.b.c', true],
    ['a.#.z', 'a.z', true],
    ['a.#.z', 'a.b.c.z', true],
    ['a.#.z', 'a.b.c', false],
    ['*', 'a', true],
    ['*', 'a.b', false],
    ['a.*', 'a', false],
  ])('has %j match %j: %j', async (pattern, key, matches) => {
    expect(await queuesFor(key, { some: [pattern] })).toEqual(matches ? ['some'] : []);
  });
});
