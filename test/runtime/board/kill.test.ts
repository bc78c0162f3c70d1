import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../../runtime/base/log.ts';
import type { Job } from '../../../runtime/board/api-job-types.ts';
import { Jobs } from '../../../runtime/board/jobs.ts';
import { indexActions } from '../../../runtime/dead-letters/actions.ts';
import { DeadLetterIndex } from '../../../runtime/dead-letters/dead-letter-index.ts';
import { indexFile } from '../../../runtime/dead-letters/index-file.ts';
import { deadLetters } from '../../../runtime/topology/names.ts';
import { publishAllDead } from '../../support/dead-letters.ts';
import { openVhost, type TestVhost } from '../../support/vhost.ts';
import { warrenArguments, warrenEnvironment } from '../../support/warren-command.ts';

const [count, others] = [3000, 300];
const inFlight = 100;
const headers = { 'content-type': 'application/json', 'x-warren-board': '1' };

let vhost: TestVhost;
let folder: string;
let board: ChildProcess | undefined;

const openShop = () => openVhost({ deadLetterIndex: true, queues: { shop: {}, bank: {} } });

beforeAll(async () => {
  vhost = await openShop();
  folder = await mkdtemp(join(tmpdir(), 'warren-board-kill-'));
  await writeFile(join(folder, 'index.html'), '');
});
afterAll(async () => {
  board?.kill('SIGKILL');
  await vhost?.close();
  await rm(folder, { recursive: true });
});

/** Goes on in a new virtual host: what a test drains stays in the index. */
async function startAnew(): Promise<void> {
  await vhost.close();
  vhost = await openShop();
}

/** Starts `warren board`, and returns the address of its API. */
async function startBoard(): Promise<string> {
  const env = warrenEnvironment({
    AMQP_URL: vhost.url,
    WARREN_CACHE: folder,
    WARREN_BOARD_PAGE: folder,
    LOG_LEVEL: 'info',
  });
  const child = spawn(process.execPath, warrenArguments(['board', '--port', '0']), {
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  board = child;
  for await (const line of createInterface({ input: child.stdout })) {
    const { msg, port } = JSON.parse(line) as { msg: string; port?: number };
    if (msg === 'serving') return `http://127.0.0.1:${port}/api`;
  }
  throw new Error('the board has not started');
}

/** Kills a board while a job of it works on the dead letters of `shop`. */
async function killDuring(action: 'replay' | 'drop', way: object = {}): Promise<void> {
  const api = await startBoard();
  const groups = async () => (await fetch(`${api}/groups`)).json();
  await expect.poll(groups, { timeout: 60_000 }).toMatchObject({ total: count + others });
  const body = JSON.stringify({ action, filter: { queue: 'shop' }, ...way });
  const job = (await (await fetch(`${api}/jobs`, { method: 'POST', headers, body })).json()) as Job;
  const met = async () => ((await (await fetch(`${api}/jobs/${job.id}`)).json()) as Job).met;
  await expect.poll(met, { interval: 1, timeout: 60_000 }).toBeGreaterThan(inFlight);
  await killBoard();
}

async function killBoard(): Promise<void> {
  board?.kill('SIGKILL');
  await once(board as ChildProcess, 'close');
  // The broker returns what the process had not acknowledged.
  await expect
    .poll(() => vhost.channel.checkQueue(deadLetters), { timeout: 20_000 })
    .toMatchObject({ consumerCount: 0 });
}

/** Completes the work of a killed board with its file, and returns the last job. */
async function complete(action: 'replay' | 'drop'): Promise<Job & { indexed: number }> {
  const index = new DeadLetterIndex(vhost.url, { file: indexFile(folder, vhost.url) });
  const jobs = new Jobs({
    index,
    actions: indexActions(vhost.url),
    log: silentLog,
    graceMs: 0,
    ended: () => index.update().catch(() => undefined),
  });
  try {
    await index.update();
    const job = jobs.start({ action, filter: { queue: 'shop' }, user: 'ann' });
    await expect.poll(() => job.endedAt, { timeout: 60_000 }).toBeDefined();
    await index.update();
    return { ...job, indexed: index.size };
  } finally {
    await jobs.close();
    await index.close();
  }
}

async function drain(queue: string): Promise<string[]> {
  const ids: string[] = [];
  for (;;) {
    const message = await vhost.channel.get(queue, { noAck: true });
    if (!message) return ids;
    ids.push(String(message.properties.messageId));
  }
}

const letters = (queue: string, of: number) =>
  Array.from({ length: of }, (_, n) => ({ queue, id: `${queue}-${n}` }));

describe('a board that is killed', { timeout: 240_000 }, () => {
  it('board: one that is killed during a replay loses no dead letter, doubles at most 100, and another completes it', async () => {
    await publishAllDead(vhost.channel, [...letters('shop', count), ...letters('bank', others)]);
    await killDuring('replay');
    const waiting = await vhost.count(deadLetters);
    expect(waiting).toBeGreaterThan(others);
    expect(await complete('replay')).toMatchObject({
      state: 'done',
      done: waiting - others,
      indexed: others,
    });
    const replayed = await drain('shop');
    expect(new Set(replayed).size).toBe(count);
    expect(replayed.length).toBeLessThanOrEqual(count + inFlight);
    expect(await vhost.count(deadLetters)).toBe(others);
  });

  it('board: one that is killed during a replay one at a time doubles at most one', async () => {
    await startAnew();
    await publishAllDead(vhost.channel, [...letters('shop', count), ...letters('bank', others)]);
    await killDuring('replay', { one_at_a_time: true });
    const waiting = await vhost.count(deadLetters);
    expect(await complete('replay')).toMatchObject({ state: 'done', done: waiting - others });
    const replayed = await drain('shop');
    expect(new Set(replayed).size).toBe(count);
    expect(replayed.length).toBeLessThanOrEqual(count + 1);
  });

  it('board: one that is killed during a drop removes nothing that was not selected, and another completes it', async () => {
    await startAnew();
    await publishAllDead(vhost.channel, [...letters('shop', count), ...letters('bank', others)]);
    await killDuring('drop');
    const waiting = await vhost.count(deadLetters);
    expect(waiting).toBeGreaterThan(others);
    expect(await complete('drop')).toMatchObject({ state: 'done', done: waiting - others, indexed: others });
    expect((await drain(deadLetters)).sort()).toEqual(
      letters('bank', others)
        .map(({ id }) => id)
        .sort(),
    );
  });

  it('board: one that is killed while a drop waits for its grace period and a replay is paused has lost and doubled nothing', async () => {
    await startAnew();
    await publishAllDead(vhost.channel, [...letters('shop', count), ...letters('bank', others)]);
    const api = await startBoard();
    const groups = async () => (await fetch(`${api}/groups`)).json();
    await expect.poll(groups, { timeout: 60_000 }).toMatchObject({ total: count + others });
    const send = async (path: string, body?: object) => {
      const json = JSON.stringify(body ?? {});
      return (await (await fetch(`${api}${path}`, { method: 'POST', headers, body: json })).json()) as Job;
    };
    const drop = await send('/jobs', { action: 'drop', filter: { queue: 'bank' } });
    const replay = await send('/jobs', { action: 'replay', filter: { queue: 'shop' } });
    const job = async () => (await (await fetch(`${api}/jobs/${replay.id}`)).json()) as Job;
    await expect.poll(async () => (await job()).met, { interval: 1, timeout: 60_000 }).toBeGreaterThan(0);
    await send(`/jobs/${replay.id}/pause`);
    await expect.poll(async () => (await job()).state, { timeout: 60_000 }).toBe('paused');
    // A slow machine may need longer than the grace period for this.
    const isPending = ((await (await fetch(`${api}/jobs/${drop.id}`)).json()) as Job).state === 'pending';
    await killBoard();
    const replayed = await drain('shop');
    const left = await drain(deadLetters);
    const expected = [...letters('shop', count), ...(isPending ? letters('bank', others) : [])];
    const found = [...replayed, ...left].filter((id) => isPending || id.startsWith('shop'));
    expect(found.sort()).toEqual(expected.map(({ id }) => id).sort());
  });

  it('board: one that is killed during an edited replay leaves the old dead letter, the new message, or both', async () => {
    await startAnew();
    await publishAllDead(vhost.channel, [...letters('bank', others), { queue: 'shop', id: 'old' }]);
    const api = await startBoard();
    const page = async () =>
      (await (await fetch(`${api}/letters?queue=shop`)).json()) as { letters?: { offset: number }[] };
    await expect.poll(async () => (await page()).letters?.length, { timeout: 60_000 }).toBe(1);
    const offset = (await page()).letters?.[0]?.offset;
    const body = JSON.stringify({ body: Buffer.from('new').toString('base64') });
    const edit = fetch(`${api}/letters/${offset}/replay`, { method: 'POST', headers, body });
    edit.catch(() => undefined);
    await expect.poll(() => vhost.count('shop'), { interval: 1, timeout: 60_000 }).toBe(1);
    await killBoard();
    const message = await vhost.take('shop');
    expect(message.content.toString()).toBe('new');
    expect(message.properties.headers?.['x-warren-replaces']).toBe('old');
    const left = (await drain(deadLetters)).filter((id) => id === 'old');
    expect(left.length).toBeLessThanOrEqual(1);
    expect(await vhost.count('shop')).toBe(0);
  });
});
