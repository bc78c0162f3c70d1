import sharp from 'sharp';
import { projectFile } from '../../dev/stack/project.ts';
import { deadExchange, deadLetters } from '../../runtime/topology/names.ts';
import { type GivenDeadLetter, publishAllDead } from './dead-letters.ts';
import type { TestVhost } from './vhost.ts';

/** The queues of a shop whose messages fail. */
export const shopSection = {
  deadLetterIndex: true,
  queues: {
    'charge-card': {},
    'send-receipt': {},
    'update-stock': {},
    'ship-parcel': {},
    'make-thumbnail': {},
  },
};

const minute = 60_000;
const noise = (n: number, most: number) => (Math.imul(n + 1, 2_654_435_761) >>> 0) % most;

interface Failing {
  queue: string;
  number: number;
  reason: string;
  error: string;
  /** Minutes before now of the first and of the last one. */
  from: number;
  to: number;
}

const failing: Failing[] = [
  {
    queue: 'charge-card',
    number: 6310,
    reason: 'exhausted',
    error: `TimeoutError: the payment gateway did not answer within 5 s
    at Timeout._onTimeout (/srv/shop/node_modules/undici/lib/util/timers.js:162:13)
    at charge (/srv/shop/payments/gateway.ts:88:11)
    at async handler (/srv/shop/payments/charge-card.ts:31:5)`,
    from: 340,
    to: 25,
  },
  {
    queue: 'send-receipt',
    number: 1920,
    reason: 'rejected',
    error: `Error: 550 5.1.1 mailbox unavailable
    at SMTPConnection._formatError (/srv/shop/node_modules/nodemailer/lib/smtp-connection/index.js:809:19)
    at sendReceipt (/srv/shop/receipts/send-receipt.ts:24:9)`,
    from: 1400,
    to: 2,
  },
  {
    queue: 'update-stock',
    number: 1204,
    reason: 'exhausted',
    error: `TypeError: Cannot read properties of undefined (reading 'sku')
    at lineItems (/srv/shop/stock/line-items.ts:17:32)`,
    from: 95,
    to: 1,
  },
  {
    queue: 'ship-parcel',
    number: 512,
    reason: 'rejected',
    error: `ValidationError: address.postal_code: expected 5 digits, got "1234"
    at parse (/srv/shop/shipping/address.ts:40:13)`,
    from: 2800,
    to: 200,
  },
];

/** Number of dead letters that `publishShop` makes. */
export const shopTotal = 10_000;

function letterOf(
  { queue, reason, error, number, from, to }: Failing,
  n: number,
  now: number,
): GivenDeadLetter {
  const span = (from - to) * minute;
  const at = now - from * minute + Math.floor((n / number) * span) + noise(n, minute);
  const order = 480_000 + noise(n * 7, 60_000);
  const body = {
    order_id: order,
    customer: { id: 9000 + noise(n, 900), name: 'Ada Lovelace', email: `ada${noise(n, 500)}@example.com` },
    items: [
      { sku: `TEA-${100 + noise(n, 80)}`, quantity: 1 + noise(n, 4), price: '12.90' },
      { sku: `CUP-${200 + noise(n * 3, 80)}`, quantity: 2, price: '7.50' },
    ],
    express: noise(n, 3) === 0,
    note: null,
  };
  const trace = `${noise(n, 4_000_000_000).toString(16).padStart(8, '0')}`.repeat(4);
  return {
    queue,
    reason,
    error,
    id: `order-${order}-${queue}-${n}`,
    body: JSON.stringify(body),
    at: new Date(at).toISOString(),
    headers: {
      'x-warren-exchange': 'orders',
      'x-warren-routing-key': 'order.paid',
      'x-warren-first-failed-at': new Date(at - 11 * minute).toISOString(),
      traceparent: `00-${trace}-00f067aa0ba902b7-01`,
      tenant: noise(n, 2) === 0 ? 'eu' : 'us',
    },
  };
}

/** Publishes 10,000 dead letters of five failures; the last ones have a picture as body. */
export async function publishShop({ channel, count }: TestVhost): Promise<void> {
  const now = Date.now();
  const all = failing.flatMap((each) =>
    Array.from({ length: each.number }, (_, n) => letterOf(each, n, now)),
  );
  await publishAllDead(channel, all);
  const photo = await sharp(projectFile('assets/demo.jpg')).resize(320).jpeg({ quality: 70 }).toBuffer();
  for (let n = all.length; n < shopTotal; n += 1) {
    const headers = {
      'x-warren-queue': 'make-thumbnail',
      'x-warren-reason': 'exhausted',
      'x-warren-attempts': 5,
      'x-warren-error':
        'Error: the storage refused the upload (503)\n    at save (/srv/shop/images/save.ts:12:9)',
      'x-warren-last-failed-at': new Date(now - (n % 50) * minute).toISOString(),
    };
    const properties = { headers, persistent: true, messageId: `photo-${n}`, contentType: 'image/jpeg' };
    channel.publish(deadExchange, 'make-thumbnail', photo, properties);
  }
  await channel.waitForConfirms();
  if ((await count(deadLetters)) !== shopTotal) throw new Error(`expected ${shopTotal} dead letters`);
}
