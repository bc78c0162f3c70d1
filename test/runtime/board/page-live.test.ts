/** The views of what happens now, in Chromium, with traffic on a real broker. */
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  type BoardPage,
  desktop,
  expectAccessible,
  expectNoOverflow,
  openBoardPage,
  phone,
  picture,
} from '../../support/board-page.ts';

const patience = { timeout: 30_000, interval: 100 };
const keys = ['order.placed', 'order.paid', 'order.cancelled', 'stock.low'];

describe('live views of the board, in Chromium', { timeout: 120_000 }, () => {
  let board: BoardPage;
  let traffic: ReturnType<typeof setInterval>;
  beforeAll(async () => {
    board = await openBoardPage({
      deadLetterIndex: true,
      exchanges: { orders: { type: 'topic' }, notices: { type: 'fanout' } },
      queues: {
        'charge-card': { bindings: [{ exchange: 'orders', routingKey: 'order.placed' }] },
        'send-receipt': { bindings: [{ exchange: 'orders', routingKey: 'order.paid' }] },
        'update-stock': { bindings: [{ exchange: 'orders', routingKey: 'order.#' }] },
        'call-supplier': { bindings: [{ exchange: 'orders', routingKey: 'stock.*' }] },
        'notify-staff': { bindings: [{ exchange: 'notices', routingKey: '' }] },
      },
    });
    const { channel } = board.vhost;
    await channel.consume('update-stock', (message) => message && channel.ack(message));
    let n = 0;
    traffic = setInterval(() => {
      n += 1;
      const key = keys[n % keys.length] ?? '';
      const properties = { messageId: `order-${n}`, headers: { tenant: 'eu' } };
      channel.publish(
        'orders',
        key,
        Buffer.from(JSON.stringify({ order_id: n, total: '39.80' })),
        properties,
      );
      if (n % 5 === 0) channel.publish('notices', '', Buffer.from('{"text":"hello"}'));
    }, 25);
  }, 120_000);
  afterEach(() => board.closePages());
  afterAll(async () => {
    clearInterval(traffic);
    await board?.close();
  });

  const row = (page: Page, name: string) =>
    page.getByRole('row').filter({ has: page.getByRole('rowheader', { name }) });

  it.each(['light', 'dark'] as const)(
    'board page: live shows each queue with its numbers and curves, %s',
    async (colorScheme) => {
      const page = await board.open({ ...desktop, colorScheme }, '#/live?queue=charge-card');
      await expect.poll(() => row(page, 'charge-card').innerText(), patience).toMatch(/charge-card\D+\d+/);
      await page.locator('.chart canvas').first().waitFor();
      await expectAccessible(page);
      await picture(page, `board-live-${colorScheme}`);
    },
  );

  it('board page: the map has exchanges, queues and their bindings, also as text', async () => {
    const page = await board.open(desktop, '#/map');
    await page.getByRole('button', { name: 'exchange orders' }).waitFor();
    await page.getByRole('button', { name: 'queue update-stock' }).press('Enter');
    await expectAccessible(page);
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
  });
});
