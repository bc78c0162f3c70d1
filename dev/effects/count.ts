import type pg from 'pg';
import { type Count, compare } from '../faults/compare.ts';
import type { Killed } from './workers.ts';

/** What a course has left. */
export interface Outcome {
  pool: pg.Pool;
  /** Cities of the orders, and of the reminders. */
  orders: readonly string[];
  reminders: readonly string[];
  /** Bodies of the webhook's calls. */
  calls: readonly string[];
  killed: readonly Killed[];
  /** How the workers ended that were asked to. */
  endings: readonly string[];
  /** Messages that the relay published. */
  relayed: number;
  deadLetters: number;
}

/** Counts effects and messages, and what is left. */
export async function count(outcome: Outcome): Promise<Count[]> {
  const { pool, orders, reminders, deadLetters, endings, relayed, killed } = outcome;
  const column = async (query: string) =>
    (await pool.query<{ value: string }>(query)).rows.map(({ value }) => value);
  const again = await column(
    'select message_id as value from deliveries group by message_id having count(*) > 1',
  );
  const waiting = await column('select id as value from warren_outbox');
  return [
    compare('parcels shipped', orders, await column('select city as value from parcels')),
    compare('effects of the messages', orders, await column('select city as value from receipts')),
    compare(
      'ids of the messages',
      orders,
      await column('select city as value from deliveries group by city, message_id'),
    ),
    countReminders(outcome, reminders),
    compare('messages in the outbox', [], waiting),
    { what: 'dead letters', expected: 0, got: deadLetters, problems: few('dead letters', deadLetters, 0) },
    compare(
      'workers ended in order',
      [],
      endings.filter((how) => how !== 'exit code 0'),
    ),
    felt('messages that a kill left to the relay', relayed, killed),
    felt('messages delivered twice', again.length, killed),
  ];
}

/** Milliseconds between the call of the webhook and the record that it was made, with a slow machine in mind. */
const windowMs = 4000;

/** Each reminder once, and again only if its process was killed between the call and the record. */
function countReminders({ calls, killed }: Outcome, reminders: readonly string[]): Count {
  const parsed = calls.map((body) => JSON.parse(body) as { city: string; pid: number; at: number });
  const excused = ({ pid, at }: { pid: number; at: number }) =>
    killed.some((kill) => kill.pid === pid && kill.at - at < windowMs);
  const counted = parsed.filter((call, index) => {
    const later = parsed.slice(index + 1).filter(({ city }) => city === call.city);
    // A process that repeats its own call has not been killed in between.
    return later.length === 0 || later.some(({ pid }) => pid === call.pid) || !excused(call);
  });
  return compare(
    'reminders sent',
    reminders,
    counted.map(({ city }) => city),
  );
}

/** A course without an effect of its kills proves nothing. */
function felt(what: string, got: number, killed: readonly Killed[]): Count {
  const problems = killed.length > 0 && got === 0 ? ['the kills had no effect on it'] : [];
  return { what, expected: killed.length > 0 ? 'some' : 'any', got, problems };
}

const few = (what: string, got: number, expected: number) =>
  got === expected ? [] : [`expected ${expected} ${what}, got ${got}`];
