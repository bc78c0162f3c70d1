/**
 * Orders for the exchange `chihuahua_scheduling` and the bookings that result from them: a walk of a dog, or a wash, which
 * includes a free walk.
 */
import { createHash } from 'node:crypto';
import * as z from 'zod';
import { id } from '../database/id.ts';

const expectedAt = 'expected a time with its offset, such as "2026-12-24T09:00:00Z"';

/** The fields that every order has. */
const common = {
  dog: z
    .string({ error: 'expected the name of the dog' })
    .trim()
    .min(1)
    .max(100)
    // Clients in other languages read the pattern in asyncapi.json, and Python knows no \P{Cc}.
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the check is about these characters.
    .regex(/^[^\u0000-\u001f\u007f-\u009f]+$/, { error: 'expected a name without control characters' }),
  at: z.iso.datetime({ offset: true, error: expectedAt }).refine((text) => /^[23]/.test(text), expectedAt),
};
const minutes = z
  .number({ error: 'expected a number of minutes' })
  .int('expected whole minutes')
  .min(10, 'expected at least 10')
  .max(480, 'expected at most 480');

/** Bodies of `POST /dog-walks` and `POST /dog-washes`. */
export const walkRequest = z.object({ ...common, minutes });
export const washRequest = z.object(common);
export type WashRequest = z.output<typeof washRequest>;

/** Messages of the exchange, with the routing keys `walk` and `wash`. The client that places an order chooses its id. */
const order = { order_id: z.uuid({ error: 'expected a UUID' }), user_id: id };
export const walkOrder = walkRequest.extend(order);
export const washOrder = washRequest.extend(order);
export type WalkOrder = z.output<typeof walkOrder>;
export type WashOrder = z.output<typeof washOrder>;

/** Duration of a wash, and of the walk that it includes. */
const washMinutes = 60;
const freeWalkMinutes = 30;

/** The answer to an order with `reply_to`. */
export const orderAnswer = z.object({
  status: z.literal('booked'),
  walker: z.object({ name: z.string().min(1).max(200) }).optional(),
  walk_id: z.uuid().optional(),
});
export type OrderAnswer = z.output<typeof orderAnswer>;

/** An order as a row: with its start and end. */
export interface Booking {
  service: 'walk' | 'wash';
  id: string;
  user_id: number;
  dog: string;
  starts_at: Date;
  ends_at: Date;
}

/** Converts an order to a booking. */
export function toBooking(service: Booking['service'], placed: WashOrder & { minutes?: number }): Booking {
  const { order_id, user_id, dog, at } = placed;
  const starts_at = new Date(at);
  const length = (placed.minutes ?? washMinutes) * 60_000;
  // The database returns UUIDs in lower case, and the two are compared.
  const id = order_id.toLowerCase();
  return { service, id, user_id, dog, starts_at, ends_at: new Date(starts_at.getTime() + length) };
}

/** Returns the walk that a wash includes. It has the same id for each delivery of the wash. */
export function freeWalk(wash: Booking): WalkOrder {
  return {
    order_id: derivedId(`walk of wash ${wash.id}`),
    user_id: wash.user_id,
    dog: wash.dog,
    // A dog dries best on its feet.
    at: wash.ends_at.toISOString(),
    minutes: freeWalkMinutes,
  };
}

/** Derives a UUID from a hash (version 8 of RFC 9562). */
function derivedId(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
}
