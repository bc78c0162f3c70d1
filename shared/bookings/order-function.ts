/**
 * Taking an order over HTTP: it is published and confirmed, and from then on it is worked on, whatever becomes of who took
 * it. Nobody waits for that longer than a moment.
 */

import type { Kysely } from 'kysely';
import {
  type Log,
  type Reply,
  type RequesterLike,
  silentLog,
  UnavailableError,
  UnroutableError,
} from 'warren/functions';
import { type HttpEvent, type HttpReply, json, Problem } from 'warren/http';
import type { Database } from '../database/schema.ts';
import { type BookingRow, describeBooking, ensureBooking, pathOf } from './booking.ts';
import {
  type OrderAnswer,
  orderAnswer,
  schedulingExchange,
  toBooking,
  type WalkOrder,
  type WashOrder,
} from './orders.ts';

export interface TakingParts {
  db: Kysely<Database>;
  orders: RequesterLike;
  /** How long to wait for the answer in milliseconds, default 1000. */
  waitMs?: number | undefined;
  log?: Log | undefined;
}

/**
 * Takes an order: 201 with what was booked where the answer came in time, 202 where it did not.
 *
 * @throws UnavailableError where the broker has not taken responsibility for it.
 */
export async function takeOrder(
  { db, orders, waitMs = 1000, log = silentLog }: TakingParts,
  placed: { service: 'walk'; order: WalkOrder } | { service: 'wash'; order: WashOrder },
  event: HttpEvent,
): Promise<HttpReply> {
  const { service, order } = placed;
  const message = { exchange: schedulingExchange, routingKey: service, body: order };
  const messageId = `${service}-${order.order_id}`;
  const options = { waitMs: preferredWait(event) ?? waitMs };
  const reply = await orders.publish({ ...message, messageId }, options).catch((cause: unknown) => {
    if (!(cause instanceof UnroutableError)) throw cause;
    throw new UnavailableError('bookings', 'no queue takes such orders', { cause });
  });
  const booking = toBooking(service, order);
  const known = fromAnswer(reply);
  // For whoever looks at it before it was worked on, or where who worked on it keeps no rows here.
  const row = await ensureBooking(db, booking, known).catch((err: unknown) => {
    log.warn({ messageId, err }, 'the order is taken, and its row is left to the function that works on it');
    return { ...booking, ...known };
  });
  const location = pathOf(service, booking.id);
  return json(row.status === 'booked' ? 201 : 202, describeBooking(row), { location });
}

/**
 * Checks when an order is for.
 *
 * @throws Problem 422 unless it is ahead, and by a year at most.
 */
export function checkAhead({ at }: { at: string }, now: Date): void {
  const days = (new Date(at).getTime() - now.getTime()) / 86_400_000;
  if (days > 0 && days < 366) return;
  throw new Problem(
    422,
    'The request can not be served',
    `at: expected a time within the next year, got ${at}`,
  );
}

/** What a client prefers (RFC 7240): to be answered at once, or to wait for some seconds, up to five. */
function preferredWait({ headers }: HttpEvent): number | undefined {
  const { prefer = '' } = headers;
  if (/(^|[,\s])respond-async\b/i.test(prefer)) return 0;
  const seconds = /(^|[,\s])wait=(\d{1,3})\b/i.exec(prefer)?.[2];
  return seconds === undefined ? undefined : Math.min(Number(seconds), 5) * 1000;
}

function fromAnswer(
  reply: Reply | undefined,
): Partial<Pick<BookingRow, 'status' | 'walker_name' | 'walk_id'>> {
  const answer = orderAnswer.safeParse(reply?.body);
  // What makes no sense is no answer: the order is safe, and its row will tell.
  if (!answer.success || reply?.type === 'error') return {};
  const { status, walker, walk_id }: OrderAnswer = answer.data;
  return { status, walker_name: walker?.name ?? null, walk_id: walk_id ?? null };
}
