import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Kysely } from 'kysely';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { projectDir, projectFile } from '../../dev/stack/project.ts';
import { type Stack, startStack } from '../../dev/stack/stack.ts';
import { readSettings } from '../../runtime/settings/read.ts';
import { mintToken, scopes } from '../../shared/auth/tokens.ts';
import { connectDatabase } from '../../shared/database/database.ts';
import type { Database } from '../../shared/database/schema.ts';
import { storageSettings } from '../../shared/storage/settings.ts';
import { createStorage } from '../../shared/storage/storage.ts';
import { type Container, createContainers } from '../support/container/containers.ts';
import { type Built, buildWithoutEngine } from '../support/container/dockerfile.ts';
import { readMails } from '../support/mailbox.ts';

const run = promisify(execFile);
const patience = { timeout: 60_000, interval: 100 };

/** Of node:22-bookworm-slim, what runs and what installs. */
const nodesFiles = [
  ...['node', 'npm', 'npx', 'corepack', 'yarn', 'yarnpkg'].map((name) => `usr/local/bin/${name}`),
  'usr/local/lib/node_modules/npm/package.json',
  'usr/local/include/node/node.h',
  'opt/yarn-v1.22.22/package.json',
  'usr/lib/libstdc++.so.6',
];

/** The Dockerfile's own steps, and compose.yaml's own commands, each with its own user of the broker. */
describe('the image', () => {
  let folder: string;
  let image: Built;
  let system: Stack;
  let db: Kysely<Database>;
  let containers: ReturnType<typeof createContainers>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'warren-image-'));
    // The image runs as a user that is neither root nor the current one.
    await chmod(folder, 0o755);
    const TARGETARCH = process.arch === 'arm64' ? 'arm64' : 'amd64';
    [image, system] = await Promise.all([
      buildWithoutEngine(projectDir, join(folder, 'stages'), { TARGETARCH }, { base: nodesFiles }),
      startStack({
        dataDir: join(folder, 'data'),
        ports: 'free',
        functions: undefined,
        report: () => undefined,
        given: { WARREN_STORAGE: 's3rver' },
      }),
    ]);
    db = connectDatabase({ url: system.env.DATABASE_URL, name: 'image test' });
    containers = createContainers(image, system.env);
  });
  afterEach(() => containers.stopAll());
  afterAll(async () => {
    await db?.destroy();
    await system?.stop();
    await rm(folder, { recursive: true, force: true });
  }, 60_000);

  const token = () => {
    const secret = containers.env['AUTH_JWT_SECRET'] ?? '';
    return mintToken({ secret, sub: '1', scopes, expiresInSeconds: 600 });
  };
  const request = async (http: Container, path: string, init: RequestInit = {}) =>
    fetch(`http://127.0.0.1:${http.port}${path}`, {
      ...init,
      headers: { authorization: `Bearer ${await token()}`, ...(init.headers as Record<string, string>) },
    });
  const upload = async (http: Container) => {
    const body = new FormData();
    body.append(
      'picture',
      new Blob([new Uint8Array(await readFile(projectFile('assets/demo.jpg')))], { type: 'image/jpeg' }),
      'demo.jpg',
    );
    const response = await request(http, '/pictures', { method: 'POST', body });
    expect(response.status).toBe(202);
    return (await response.json()) as { image_id: number };
  };
  const statusOf = async (id: number) =>
    (await db.selectFrom('pictures').select('status').where('id', '=', id).executeTakeFirst())?.status;

  it('has Node from its base, and nothing that installs packages', async () => {
    const inRoot = (path: string) => readdir(join(image.root, path)).catch(() => []);
    expect(await inRoot('usr/local/bin')).toEqual(['node']);
    expect(await inRoot('usr/local/lib')).toEqual([]);
    expect(await inRoot('opt')).toEqual([]);
    expect(await inRoot('usr/lib')).toEqual(['libstdc++.so.6']);
  });

  it('holds what runs and nothing else, all of it root’s, and is small', async () => {
    const app = join(image.root, image.workdir);
    const held = (await readdir(app)).filter((name) => !name.endsWith('LEGAL.txt'));
    expect(held.toSorted()).toEqual(
      ['LICENSE', 'chunks', 'functions', 'health.mjs', 'node_modules']
        .concat(['serverless.yml', 'warren.json', 'warren.mjs'])
        .toSorted(),
    );
    const files = await readdir(app, { recursive: true, withFileTypes: true });
    const sources = files.filter(
      ({ name, parentPath }) => /\.ts$/.test(name) && !parentPath.includes('node_modules'),
    );
    expect(sources).toEqual([]);
    let bytes = 0;
    for (const each of files.filter((one) => one.isFile())) {
      const { size, mode } = await stat(join(each.parentPath, each.name));
      expect(mode & 0o022, each.name).toBe(0);
      bytes += size;
    }
    console.log(`the image holds ${Math.round(bytes / 1e5) / 10} MB besides Node`);
    expect(bytes).toBeLessThan(40e6);
    expect(image.user.uid).toBeGreaterThan(0);
  });

  it('prepares the parts, and once more without a change', async () => {
    const first = await containers.runToEnd('prepare');
    expect(first).toMatch(/user resize: created/);
    const second = await containers.runToEnd('prepare');
    expect(second).toMatch(/user resize: unchanged/);
    expect(second).not.toMatch(/: (created|changed)/);
  });

  it('is the whole system, with every service of compose.yaml as its own user', async () => {
    const names = ['http', 'schedule', 'alerts', 'pictures', 'resize', 'bookings', 'rpc'];
    const [http] = (await Promise.all(names.map((name) => containers.start(name)))) as [Container];
    expect(await (await request(http, '/health')).json()).toMatchObject({ status: 'up' });

    const { image_id } = await upload(http);
    await expect.poll(() => statusOf(image_id), patience).toBe('ready');
    const picture = async () =>
      (await (await request(http, `/pictures/${image_id}`)).json()) as { points: number };
    await expect.poll(async () => (await picture()).points, patience).toBe(10);

    const headers = { 'content-type': 'application/json' };
    const alert = JSON.stringify({ routing_key: 'critical.rate_limit', message: 'from a container' });
    expect((await request(http, '/alerts', { method: 'POST', headers, body: alert })).status).toBe(202);
    const subjects = async () => {
      const mails = await readMails(system.env.MAILBOX_URL);
      return mails.map(({ subject }) => subject);
    };
    await expect.poll(subjects, patience).toContain('CRITICAL ALERT');

    const ping = JSON.stringify({ client_name: 'image test', time: 1288111236.43 });
    const pong = await request(http, '/rpc/ping', { method: 'POST', headers, body: ping });
    expect(await pong.text()).toBe('Pong!1288111236.43');

    const at = new Date(Date.now() + 86_400_000).toISOString();
    const order = { method: 'POST', headers, body: JSON.stringify({ dog: 'Rex', at, minutes: 30 }) };
    expect((await request(http, '/dog-walks', order)).status).toBeLessThan(300);
    const booked = async () =>
      (await db.selectFrom('bookings').select('status').execute()).map(({ status }) => status);
    await expect.poll(booked, patience).toEqual(['booked']);

    const queues = (await (await request(http, '/queues')).json()) as {
      queues: { in_flight: number | null }[];
      dead_letters: number;
    };
    expect(queues.dead_letters).toBe(0);
    expect(queues.queues.every(({ in_flight }) => in_flight !== null)).toBe(true);
    const page = await request(http, '/');
    expect(await page.text()).toContain('<!doctype html>');
    // The broker refused nothing; a refusal would be in the log.
    for (const each of containers.running()) expect(each.output()).not.toMatch(/"level":"(error|warn)"/);
    for (const each of containers.running()) expect(await each.health()).toBe(0);
    console.log(containers.memory().join('\n'));
  });

  it('fails its health check while it is not ready', async () => {
    const worker = await containers.start('resize');
    expect(await worker.health()).toBe(0);
    await worker.stop();
    expect(await worker.health()).toBe(1);
  });

  it('finishes at SIGTERM what it has begun, and ends with 0', async () => {
    const http = await containers.start('http');
    const worker = await containers.start('resize');
    const { image_id } = await upload(http);
    const inFlight = async () =>
      (await (await fetch(`${worker.metrics}/metrics`)).text()).match(/^warren_calls_in_flight\{.*\} 1$/m);
    await expect.poll(inFlight, { ...patience, interval: 5 }).toBeTruthy();
    expect(await statusOf(image_id)).not.toBe('ready');
    expect(await worker.stop()).toBe(0);
    expect(await statusOf(image_id)).toBe('ready');
    expect(await http.stop()).toBe(0);
  });

  it('runs a schedule once on request', async () => {
    expect(await containers.runToEnd('schedule', ['schedule', '--once'])).toMatch(/"scheduled call done"/);
  });

  it('needs no more of its arguments than names', async () => {
    const { stdout } = await run(process.execPath, [join(image.root, '/app/warren.mjs'), '--help']);
    for (const command of ['worker', 'serve', 'schedule', 'prepare', 'dead-letters'])
      expect(stdout).toContain(command);
    expect(image.commands.some((each) => each.startsWith('npm ci'))).toBe(true);
    const storage = createStorage(readSettings({ storage: storageSettings }, system.env).storage);
    await storage.ready();
  });
});
