/**
 * Publishes an order and waits for the confirm. After that the order will be processed, even if the HTTP function dies. The
 * caller waits only a moment for the result.
 */

import type { Kysely } from 'kysely';
import {
  type AnsweredPublisherLike,
  type Log,
  type OutgoingMessage,
  type Reply,
  silentLog,
  UnavailableError,
  UnroutableError,
} from 'warren/functions';
import { type HttpEvent, type HttpReply, json } from 'warren/http';
import type { Database } from '../database/schema.ts';
import { type BookingRow, describeBooking, ensureBooking, pathOf } from './booking.ts';
import { type Booking, type OrderAnswer, orderAnswer, toBooking, type WashOrder } from './orders.ts';

export interface PlaceOrderDeps {
  db: Kysely<Database>;
  orders: AnsweredPublisherLike;
  /** How long to wait for the answer in milliseconds, default 1000. */
  waitMs?: number | undefined;
  log?: Log | undefined;
}

export interface PlacedOrder {
  service: Booking['service'];
  order: WashOrder & { minutes?: number };
  message: OutgoingMessage;
}

/**
 * Places an order. It returns 201 with the booking if the answer came in time, else 202.
 *
 * @throws UnavailableError if the broker has not taken responsibility for the order.
 */
export async function placeOrder(
  { db, orders, waitMs = 1000, log = silentLog }: PlaceOrderDeps,
  { service, order, message }: PlacedOrder,
  event: HttpEvent,
): Promise<HttpReply> {
  const { messageId } = message;
  const options = { waitMs: preferredWait(event) ?? waitMs };
  const reply = await orders.publish(message, options).catch((cause: unknown) => {
    if (!(cause instanceof UnroutableError)) throw cause;
    throw new UnavailableError('bookings', 'no queue is bound for these orders', { cause });
  });
  const booking = toBooking(service, order);
  const known = readAnswer(reply);
  // The order can be read before it is processed, or if its processor keeps no rows here.
  const row = await ensureBooking(db, booking, known).catch((err: unknown) => {
    log.warn({ messageId, err }, 'the order is accepted; the function that processes it will create its row');
    return { ...booking, ...known };
  });
  const location = pathOf(service, booking.id);
  return json(row.status === 'booked' ? 201 : 202, describeBooking(row), { location });
}

/** Reads the header Prefer (RFC 7240): the client wants an immediate answer, or waits for up to five seconds. */
function preferredWait({ headers }: HttpEvent): number | undefined {
  const { prefer = '' } = headers;
  if (/(^|[,\s])respond-async\b/i.test(prefer)) return 0;
  const seconds = /(^|[,\s])wait=(\d{1,3})\b/i.exec(prefer)?.[2];
  return seconds === undefined ? undefined : Math.min(Number(seconds), 5) * 1000;
}

function readAnswer(
  reply: Reply | undefined,
): Partial<Pick<BookingRow, 'status' | 'walker_name' | 'walk_id'>> {
  const answer = orderAnswer.safeParse(reply?.body);
  // An invalid reply counts as no reply: the order is safe, and its row will show the result.
  if (!answer.success || reply?.type === 'error') return {};
  const { status, walker, walk_id }: OrderAnswer = answer.data;
  return { status, walker_name: walker?.name ?? null, walk_id: walk_id ?? null };
}
