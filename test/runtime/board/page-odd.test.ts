/** The page of the board with what other programs may have written: odd names, headers, times and bodies. */
import { describe, expect, it, vi } from 'vitest';
import type { Letters } from '../../../runtime/board/api-types.ts';
import { deadExchange } from '../../../runtime/topology/names.ts';
import {
  type BoardPage,
  boardPage,
  desktop,
  expectNoOverflow,
  openBoardPage,
  patience,
  phone,
  picture,
  rowCount,
} from '../../support/board-page.ts';

const names = [
  'a b',
  'a/b',
  '100%',
  '%2F',
  '🐇 carrots',
  '<img src=x onerror=alert(1)>',
  'a?b#c&d=e',
  `it's "q"`,
];

interface Odd {
  id: string;
  queue?: string;
  error?: string;
  body?: Buffer;
  headers?: Record<string, unknown>;
}

const odd: Odd[] = [
  ...names.map((queue) => ({ id: `in ${queue}`, queue, error: `Error: <b>in</b> ${queue}` })),
  { id: 'empty body', body: Buffer.alloc(0) },
  {
    id: 'huge',
    body: Buffer.from(JSON.stringify({ list: Array.from({ length: 50_000 }, (_, n) => ({ n })) })),
  },
  { id: 'huge text', body: Buffer.alloc(1024 ** 2, 'a') },
  { id: 'binary', body: Buffer.from(Array.from({ length: 1024 ** 2 }, (_, n) => (n * 7) % 256)) },
  { id: 'invalid', body: Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]) },
  { id: 'deep', body: Buffer.from('['.repeat(20_000) + ']'.repeat(20_000)) },
  { id: 'digits', body: Buffer.from('{"id":9007199254740993,"price":1.10,"far":1e400,"half":0.5}') },
  {
    id: 'times',
    headers: {
      'x-warren-first-failed-at': 'the day before',
      'x-warren-last-failed-at': 'yesterday',
      'x-warren-attempts': 'many',
    },
  },
  {
    id: 'deaths',
    headers: { 'x-death': ['a', 7, { queue: 'q', reason: 'r', time: 'no time', count: 'x' }, { queue: {} }] },
  },
  { id: 'long', error: `Error: ${'w'.repeat(5000)}`, headers: { long: 'h'.repeat(3000) } },
  { id: 'no error', error: '' },
  { id: 'trace', headers: { traceparent: { a: 1 }, list: [1, { b: 2 }] } },
  { id: 'i'.repeat(255) },
];

describe('the page of the board with odd dead letters', { timeout: 300_000 }, () => {
  let offsets: Map<string, number>;
  const prepare = async ({ vhost: { channel }, get }: BoardPage) => {
    for (const queue of names) await channel.assertQueue(queue, { durable: true });
    for (const { id, queue = 'shop', error = `Error: ${id}`, body = Buffer.from('{}'), headers } of odd) {
      const own = {
        'x-warren-queue': queue,
        'x-warren-reason': 'rejected',
        'x-warren-attempts': 3,
        'x-warren-error': error,
        'x-warren-last-failed-at': new Date().toISOString(),
        ...headers,
      };
      channel.publish(deadExchange, queue, body, { persistent: true, messageId: id, headers: own });
    }
    await channel.waitForConfirms();
    const read = async () => (await get<Letters>('/api/letters')).letters;
    await vi.waitFor(async () => expect(await read()).toHaveLength(odd.length), patience);
    offsets = new Map((await read()).map(({ id, offset }) => [id, offset]));
  };
  const board = boardPage(() => openBoardPage({ deadLetterIndex: true, queues: { shop: {} } }), prepare);

  const groupLinks = '.groups li:not(.all) a';

  it('board page, odd: each group opens as a list with its dead letter, whatever its queue and error are', async () => {
    const page = await board.open();
    await expect.poll(() => page.locator(groupLinks).count(), patience).toBe(odd.length);
    await picture(page, 'board-odd-groups');
    for (let n = 0; n < odd.length; n += 1) {
      await page.locator(groupLinks).nth(n).click();
      await expect.poll(rowCount(page), patience).toBe('1');
      await expect.poll(() => page.locator('.groups [aria-current]').count(), patience).toBe(1);
    }
  });

  it.each([
    ['desktop', desktop],
    ['phone', { ...phone, colorScheme: 'dark' as const }],
  ])('board page, odd: each dead letter is shown whole, on a %s', async (name, options) => {
    const page = await board.open(options);
    for (const [id, offset] of offsets) {
      await page.goto(`${board.base}/#/letters/${offset}`);
      await page.locator('.letter .id').filter({ hasText: id }).waitFor();
      await page.getByRole('heading', { name: 'Headers' }).waitFor();
      await expectNoOverflow(page);
      if (id === 'long') await picture(page, `board-odd-long-${name}`);
    }
  });

  it('board page, odd: numbers keep their digits, and times that are none are shown as they came', async () => {
    const page = await board.open(desktop, `#/letters/${offsets.get('digits')}`);
    const body = page.getByRole('region', { name: /^Body/ });
    await expect
      .poll(() => body.innerText(), patience)
      .toMatch(/id: 9007199254740993\s+price: 1.1\s+far: 1e400\s+half: 0.5/);
    await page.goto(`${board.base}/#/letters/${offsets.get('times')}`);
    const story = page.getByRole('region', { name: 'Story' });
    await expect.poll(() => story.innerText(), patience).toMatch(/the day before[\s\S]*Failed\s+yesterday/);
    await page.goto(`${board.base}/#/letters/${offsets.get('deaths')}`);
    await expect.poll(() => page.locator('.letter .id').innerText(), patience).toBe('deaths');
  });

  it('board page, odd: thousands of groups are drawn in steps', async () => {
    const { channel } = board.vhost;
    for (let n = 0; n < 3000; n += 1) {
      const headers = {
        'x-warren-queue': 'shop',
        'x-warren-reason': 'rejected',
        'x-warren-error': `Error: ${n}`,
      };
      channel.publish(deadExchange, 'shop', Buffer.from('{}'), { messageId: `m${n}`, headers });
    }
    await channel.waitForConfirms();
    const page = await board.open();
    const more = page.getByRole('button', { name: /more groups/ });
    await expect
      .poll(() => more.innerText(), patience)
      .toBe(`${(2800 + odd.length).toLocaleString('en')} more groups`);
    await more.click();
    await expect.poll(() => page.locator(groupLinks).count(), patience).toBe(400);
  });
});
