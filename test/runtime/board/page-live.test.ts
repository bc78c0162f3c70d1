/** The views of what happens now, in Chromium, with traffic on a real broker. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { afterAll, describe, expect, it } from 'vitest';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { viewService } from '../../../runtime/board/live/service-view.ts';
import type { EventSource } from '../../../runtime/event-source/event-source.ts';
import {
  type BoardPage,
  boardPage,
  desktop,
  expectAccessible,
  expectNoOverflow,
  openBoardPage,
  patience,
  phone,
  picture,
} from '../../support/board-page.ts';
import { feeding } from '../../support/feeding.ts';
import { type ServedMetrics, serveMetrics } from '../../support/served-metrics.ts';

const section = {
  deadLetterIndex: true,
  exchanges: { orders: { type: 'topic' }, notices: { type: 'fanout' } },
  queues: {
    'charge-card': { bindings: [{ exchange: 'orders', routingKey: 'order.placed' }] },
    'send-receipt': { bindings: [{ exchange: 'orders', routingKey: 'order.paid' }] },
    'update-stock': { bindings: [{ exchange: 'orders', routingKey: 'order.#' }] },
    'call-supplier': { bindings: [{ exchange: 'orders', routingKey: 'stock.*' }] },
    'notify-staff': { bindings: [{ exchange: 'notices', routingKey: '' }] },
    'write-ledger': {
      orderBy: 'header.customer',
      partitions: 4,
      bindings: [{ exchange: 'orders', routingKey: 'order.paid' }],
    },
    'text-customer': { limit: '2/minute' },
    'mail-tenant': { perKey: { of: 'header.tenant', concurrency: 1 }, partitions: 2 },
    remind: { delays: true },
  },
};
const functions = Object.fromEntries(
  ['update-stock', 'write-ledger', 'text-customer', 'mail-tenant'].map((queue) => {
    const rabbitmq = { arn: 'arn:aws:mq:eu-central-1:123456789012:broker:b:b-1', queue, basicAuthArn: 'arn' };
    return [queue, { handler: 'x.handler', events: [{ rabbitmq }] }];
  }),
);
const keys = ['order.placed', 'order.paid', 'order.cancelled', 'stock.low'];

describe('live views of the board, in Chromium', { timeout: 300_000 }, () => {
  let served: ServedMetrics;
  let traffic: ReturnType<typeof setInterval>;
  const sources: EventSource[] = [];

  const startWorkers = async (url: string) => {
    const { observer } = served.metrics;
    const feed = async (queue: string, ms: number, given: object = {}) => {
      const mapping = { url, observer, functionName: queue, batchSize: 1, concurrency: 2, ...given };
      sources.push(await feeding(queue, () => pause(ms), mapping));
    };
    await feed('update-stock', 20, { concurrency: 4 });
    await feed('write-ledger', 300, { order: { by: 'header.customer', partitions: 4 } });
    await feed('text-customer', 5, { limit: { count: 2, periodMs: 60_000 } });
    const perKey = { by: 'header.tenant', partitions: 2, perKey: { concurrency: 1 } };
    await feed('mail-tenant', 500, { order: perKey, maxMessageBytes: 64 * 1024 });
  };
  const schedule = async (url: string) => {
    const publisher = new Publisher({ url, name: 'shop' });
    for (const delay of ['2 minutes', '2 minutes', '1 hour', '3 days'] as const)
      await publisher.publish({ exchange: '', routingKey: 'remind', body: {}, delay });
    await publisher.close();
  };
  const open = async () => {
    served = await serveMetrics();
    return openBoardPage(section, {
      metrics: [served.url],
      within: ({ url }) => ({ service: viewService(url, { functions, custom: { warren: section } }) }),
    });
  };
  const prepare = async ({ vhost: { url, channel } }: BoardPage) => {
    await startWorkers(url);
    await schedule(url);
    for (let text = 0; text < 6; text += 1) channel.publish('', 'text-customer', Buffer.from('{}'));
    // More than a worker holds, so that some wait aside. After a large one, it reads no further ahead than 1,000.
    for (let mail = 0; mail < 1500; mail += 1)
      channel.publish(
        '',
        'mail-tenant',
        Buffer.from(JSON.stringify({ text: mail === 0 ? 'x'.repeat(40_000) : '' })),
        {
          headers: { tenant: mail < 1490 ? 'eu' : 'us' },
        },
      );
    let n = 0;
    traffic = setInterval(() => {
      n += 1;
      const key = keys[n % keys.length] ?? '';
      const properties = {
        messageId: `order-${n}`,
        timestamp: Math.floor(Date.now() / 1000),
        headers: { tenant: 'eu', customer: `c${n % 7}` },
      };
      channel.publish(
        'orders',
        key,
        Buffer.from(JSON.stringify({ order_id: n, total: '39.80' })),
        properties,
      );
      if (n % 5 === 0) channel.publish('notices', '', Buffer.from('{"text":"hello"}'));
    }, 25);
  };
  const board = boardPage(open, prepare);
  // Before the board and its virtual host: Vitest runs the last hook first.
  afterAll(async () => {
    clearInterval(traffic);
    await Promise.all(sources.map((source) => source.stop()));
    served?.close();
  });

  const row = (page: Page, name: string) =>
    page
      .getByRole('region', { name: 'Queues' })
      .getByRole('row')
      .filter({ has: page.getByRole('rowheader', { name }) });

  it.each(['light', 'dark'] as const)(
    'board page: live shows each queue with its numbers and curves, %s',
    async (colorScheme) => {
      const page = await board.open({ ...desktop, colorScheme }, '#/live?queue=charge-card');
      await expect.poll(() => row(page, 'charge-card').innerText(), patience).toMatch(/charge-card\D+\d+/);
      await page.locator('.chart canvas').first().waitFor();
      const tops = await page
        .locator('.chart')
        .evaluateAll((all) => all.map((each) => each.getBoundingClientRect().y));
      expect(new Set(tops).size, 'charts beside each other begin at the same height').toBe(1);
      await expect
        .poll(() => row(page, 'text-customer').innerText(), patience)
        .toMatch(/limit 2 in 1 min, \d+ wait/);
      await expect
        .poll(() => row(page, 'mail-tenant').innerText(), patience)
        .toMatch(/each header\.tenant: 1 at a time, \d+ wait aside/);
      const ledger = page.getByRole('region', { name: 'Partitions of write-ledger' });
      await expect.poll(() => ledger.innerText(), patience).toMatch(/write-ledger\.3\s+\d+\s+\d+\s+\d/);
      const scheduled = page.getByRole('region', { name: 'Scheduled' });
      await expect.poll(() => scheduled.innerText(), patience).toMatch(/within 3 d\s+1/);
      const calls = page.getByRole('region', { name: 'Functions' });
      await expect
        .poll(() => calls.innerText(), patience)
        .toMatch(/update-stock\s+[\d.]+\s+0\s+\d+ ms\s+\d+ ms\s+(< 1|\d+) s/);
      await expectAccessible(page);
      await picture(page, `board-live-${colorScheme}`);
      await ledger.scrollIntoViewIfNeeded();
      await picture(page, `board-live-partitions-${colorScheme}`);
    },
  );

  it('board page: the map has exchanges, queues and their bindings, also as text', async () => {
    const page = await board.open(desktop, '#/map');
    await page.getByRole('button', { name: 'exchange orders' }).waitFor();
    await page.getByRole('button', { name: 'queue update-stock' }).press('Enter');
    await expectAccessible(page);
    // An exchange, a queue and a function, with messages between them.
    const flows = page.locator('.edge.flows');
    await expect.poll(() => flows.count(), patience).toBeGreaterThanOrEqual(6);
    await picture(page, 'board-map-light');
    await page.getByText('The map as text').click();
    await page.getByRole('row', { name: /exchange orders\s+order\.#\s+queue update-stock/ }).waitFor();
  });

  it('board page: the spy shows the messages of a binding as they come', async () => {
    const page = await board.open(desktop, '#/spy');
    await page.getByLabel('Exchange').fill('orders');
    await page.getByLabel('Routing key').fill('stock.*');
    await page.getByRole('button', { name: 'Start' }).click();
    const rows = page.getByRole('listitem');
    await expect.poll(() => rows.count(), patience).toBeGreaterThan(2);
    expect(await rows.first().innerText()).toContain('stock.low');
    await expectAccessible(page);
    await picture(page, 'board-spy-light');
  });

  it.each(['live', 'map', 'spy'])('board page: %s fits a phone of 360 px', async (view) => {
    const page = await board.open(phone, `#/${view}`);
    await page.getByRole('heading', { level: 1 }).waitFor();
    await expectNoOverflow(page);
    await picture(page, `board-phone-${view}`);
    if (view !== 'live') return;
    await page.getByRole('region', { name: 'Partitions of write-ledger' }).scrollIntoViewIfNeeded();
    await expectNoOverflow(page);
    await picture(page, 'board-phone-live-partitions');
  });
});
