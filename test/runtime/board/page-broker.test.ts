/** The page of the board while its broker is away, restarts or is killed, and while the board reads the dead letters. */
import { connect } from 'amqplib';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { type PrivateBroker, privateBroker } from '../../../dev/stack/private-broker.ts';
import type { Job, JobList } from '../../../runtime/board/api-job-types.ts';
import type { ApiProblem, Groups } from '../../../runtime/board/api-types.ts';
import { applyTopology } from '../../../runtime/topology/apply.ts';
import { compileTopology } from '../../../runtime/topology/compile.ts';
import { deadLetters } from '../../../runtime/topology/names.ts';
import { readSection } from '../../../runtime/topology/schema.ts';
import {
  type BoardPage,
  boardPage,
  desktop,
  expectAccessible,
  expectNoOverflow,
  jobCard,
  openBoardPage,
  patience,
  phone,
  picture,
  rowCount,
} from '../../support/board-page.ts';
import { publishAllDead } from '../../support/dead-letters.ts';
import { type Proxy as BrokerProxy, openProxy } from '../../support/proxy.ts';
import { openVhost, type TestVhost } from '../../support/vhost.ts';

const section = { deadLetterIndex: true, queues: { shop: {}, bank: {} } };
const error = 'TimeoutError: the payment gateway did not answer within 5 s';
const given = (queue: string, number: number) =>
  Array.from({ length: number }, (_, n) => ({
    queue,
    id: `${queue}-${n}`,
    error,
    at: new Date().toISOString(),
  }));
const total =
  ({ get }: BoardPage) =>
  async () =>
    (await get<Groups>('/api/groups')).total;

/** The virtual host of a broker of its own. Its connections are new after each restart. */
async function ownVhost(url: string): Promise<TestVhost> {
  await applyTopology(url, compileTopology(readSection(section)));
  const open = async () => {
    const model = await connect(url);
    return { model, channel: await model.createConfirmChannel() };
  };
  const first = await open();
  first.model.on('error', () => undefined);
  const once = async <T>(use: (channel: TestVhost['channel']) => Promise<T>): Promise<T> => {
    const { model, channel } = await open();
    try {
      return await use(channel);
    } finally {
      await model.close();
    }
  };
  return {
    name: '/',
    url,
    model: first.model,
    channel: first.channel,
    count: (queue) => once(async (channel) => (await channel.checkQueue(queue)).messageCount),
    take: (queue) =>
      once(async (channel) => {
        const message = await channel.get(queue, { noAck: true });
        if (!message) throw new Error(`no message in ${queue}`);
        return message;
      }),
    close: () => first.model.close().catch(() => undefined),
  };
}

describe('the page of the board and its broker', { timeout: 300_000 }, () => {
  let broker: PrivateBroker;
  let proxy: BrokerProxy;
  /** Groups of confirms that reach the board; those after them wait until the broker is killed. */
  let confirms = Number.POSITIVE_INFINITY;
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const confirming = async () => {
    confirms -= 1;
    if (confirms < 0) await released;
  };
  const open = async () => {
    broker = await privateBroker(
      (port) => ['management.tcp.ip = 127.0.0.1', `management.tcp.port = ${port}`],
      '',
      undefined,
      ['rabbitmq_management', 'rabbitmq_consistent_hash_exchange'],
    );
    const managementUrl = `http://warren:secret@127.0.0.1:${broker.tlsPort}`;
    proxy = await openProxy(new URL(broker.url), { confirming });
    return openBoardPage(section, { vhost: await ownVhost(broker.url), url: proxy.url, managementUrl });
  };
  const prepare = async (opened: BoardPage) => {
    await publishAllDead(opened.vhost.channel, [...given('shop', 3000), ...given('bank', 40)]);
    await vi.waitFor(async () => expect(await total(opened)()).toBe(3040), patience);
  };
  const board = boardPage(open, prepare);
  afterAll(async () => {
    await proxy?.close();
    await broker?.close();
  });

  it('board page: while the broker restarts it says so, keeps what it shows, and the action works afterwards', async () => {
    const page = await board.open({ ...desktop, colorScheme: 'light' });
    await page.getByRole('link', { name: /bank/ }).click();
    await expect.poll(rowCount(page), patience).toBe('40');
    for (const key of ['x', 'j', 'x']) await page.keyboard.press(key);
    const live = await board.open({ ...desktop, colorScheme: 'light' }, '#/live');
    await live.getByRole('rowheader', { name: 'bank' }).waitFor();

    await broker.stop();
    const note = page.getByRole('status').filter({ hasText: 'cannot read the dead letters at the moment' });
    await note.waitFor();
    expect(await rowCount(page)()).toBe('40');
    await page.getByRole('button', { name: 'Replay 2 selected' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('button', { name: 'Replay 2' }).click();
    await dialog.getByRole('alert').filter({ hasText: 'broker: unavailable' }).waitFor();
    await picture(page, 'board-away-dialog-light');
    await expectAccessible(page);
    const liveNote = live
      .getByRole('status')
      .filter({ hasText: /reached|ECONNREFUSED|not answer|unavailable/ });
    await liveNote.waitFor();
    expect(await live.getByRole('rowheader', { name: 'bank' }).count()).toBe(1);
    await picture(live, 'board-away-live-light');
    const small = await board.open({ ...phone, colorScheme: 'dark' });
    await small.getByRole('status').filter({ hasText: 'cannot read the dead letters' }).waitFor();
    await expectNoOverflow(small);
    await picture(small, 'board-phone-away');

    await broker.start();
    await note.waitFor({ state: 'detached' });
    await liveNote.waitFor({ state: 'detached' });
    await dialog.getByRole('button', { name: 'Replay 2' }).click();
    await jobCard(page, /Replay of 2/)
      .getByText('2 replayed')
      .waitFor();
    await expect.poll(rowCount(page), patience).toBe('38');
    expect(await board.vhost.count('bank')).toBe(2);
    expect(await total(board)()).toBe(3038);
    expect(await board.vhost.count(deadLetters)).toBe(3038);
  });

  it('board page: a replay that the broker was killed in fails with its reason, and the next one completes it without a loss', async () => {
    const others = (await total(board)()) - 3000;
    const page = await board.open();
    await page.getByRole('link', { name: /shop/ }).click();
    await page.getByRole('button', { name: 'Replay all 3,000' }).click();
    confirms = 3;
    await page.getByRole('dialog').getByRole('button', { name: 'Replay 3,000' }).click();
    const met = async () => {
      const { jobs } = await board.get<JobList>('/api/jobs');
      return jobs.find(({ selected }) => selected === 3000)?.met ?? 0;
    };
    await expect.poll(met, { timeout: 60_000, interval: 1 }).toBeGreaterThan(0);
    await broker.kill();
    confirms = Number.POSITIVE_INFINITY;
    release();
    const card = jobCard(page, /Replay of 3,000/);
    await card.getByText(/^failed: .+/).waitFor();
    await picture(page, 'board-away-job-light');
    await broker.start();
    await page.getByRole('status').filter({ hasText: 'at the moment' }).waitFor({ state: 'detached' });
    // What the killed job had not acknowledged is there again.
    const left = (await board.vhost.count(deadLetters)) - others;
    expect(left).toBeGreaterThan(0);
    const next = { action: 'replay', filter: { queue: 'shop' } };
    const { id } = await board.post<Job>('/api/jobs', next);
    await expect
      .poll(() => board.get<Job>(`/api/jobs/${id}`), patience)
      .toMatchObject({ state: 'done', done: left });
    const replayed = await board.vhost.count('shop');
    expect(replayed).toBeGreaterThanOrEqual(3000);
    expect(replayed).toBeLessThanOrEqual(3500);
    expect(await board.vhost.count(deadLetters)).toBe(others);
    expect(await total(board)()).toBe(others);
  });
});

describe('the page of a board that has just started', { timeout: 240_000 }, () => {
  let proxy: BrokerProxy;
  let base = '';
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const readSoFar = async () => {
    if (base === '') return 0;
    return ((await (await fetch(`${base}/api/groups`)).json()) as Partial<ApiProblem>).read ?? 0;
  };
  const open = async () => {
    const vhost = await openVhost(section);
    await publishAllDead(vhost.channel, given('shop', 4000));
    // The broker confirms the first entries of the index, and those after them only later.
    const confirming = async () => {
      if ((await readSoFar()) > 0) await released;
    };
    proxy = await openProxy(new URL(vhost.url), { confirming });
    const opened = await openBoardPage(section, { vhost, url: proxy.url });
    base = opened.base;
    return opened;
  };
  const board = boardPage(open);
  afterAll(() => proxy?.close());

  it('board page: while the dead letters are read for the first time, it shows how many there are so far', async () => {
    const page = await board.open({ ...desktop, colorScheme: 'light' });
    await page.getByRole('heading', { name: 'Reading the dead letters' }).waitFor();
    await page
      .getByRole('status')
      .filter({ hasText: /^[\d,]+ so far/ })
      .waitFor();
    expect(await readSoFar()).toBeGreaterThan(0);
    expect(await readSoFar()).toBeLessThan(4000);
    await expectAccessible(page);
    await picture(page, 'board-reading-light');
    const small = await board.open({ ...phone, colorScheme: 'dark' });
    await small
      .getByRole('status')
      .filter({ hasText: /^[\d,]+ so far/ })
      .waitFor();
    await expectNoOverflow(small);
    await picture(small, 'board-phone-reading');
    release();
    await page
      .getByRole('link', { name: /TimeoutError/ })
      .filter({ hasText: '4,000' })
      .waitFor();
  });
});
