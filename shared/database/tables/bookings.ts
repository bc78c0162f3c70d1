import type { Generated } from 'kysely';

export interface Walkers {
  id: Generated<number>;
  name: string;
  email: string;
  /** The phone number for text messages; null for a walker who gets none. */
  phone: string | null;
}

/** `waiting` until a function works on it, and while no walker is free; `declined` if none ever was. */
export type BookingStatus = 'waiting' | 'booked' | 'declined';

/** One row for each order. A constraint of the table keeps a walker from having two walks at a time. */
export interface Bookings {
  /** Chosen by the function that places the order. */
  id: string;
  number: Generated<number>;
  service: 'walk' | 'wash';
  user_id: number;
  dog: string;
  starts_at: Date;
  ends_at: Date;
  status: Generated<BookingStatus>;
  walker_id: number | null;
  /** The walker's name, as the customer was notified of it. */
  walker_name: string | null;
  /** The walk that comes with a wash. */
  walk_id: string | null;
  created_at: Generated<Date>;
  booked_at: Date | null;
}
