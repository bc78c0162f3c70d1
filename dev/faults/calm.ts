import { setTimeout as pause } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import type { Database } from '../../shared/database/schema.ts';
import { type Accepted, callTimeoutMs } from './accepted.ts';
import type { Count } from './compare.ts';
import type { Leg } from './course.ts';
import { summaries, waiting, waitingRows } from './leftovers.ts';
import type { Received } from './mailbox.ts';
import type { Parts } from './parts.ts';

/** A time without a fault. Times are milliseconds since 1970. */
export interface Calm {
  from: number;
  to: number;
  /** What was still not done when it should have been. */
  left: string[];
}

/** Limits for a request, and for its effects after the last request, in milliseconds. */
const [requestMs, effectMs] = [5000, 20_000];

/** Lets one leg of load run without a fault, until its requests have had their effects. */
export async function stayCalm(
  leg: Leg,
  load: Promise<unknown> | undefined,
  { parts, db }: { parts: Parts; db: Kysely<Database> },
): Promise<Calm> {
  const from = Date.now();
  leg.begin();
  // Also without load the leg takes its time: an effect that nothing asked for may come.
  await Promise.all([load, pause(leg.seconds * 1000)]);
  const until = Date.now() + effectMs;
  for (;;) {
    const counts = new Map([...(await waiting(parts)), ...(await waitingRows(db))]);
    // A summary is due once a minute.
    counts.delete(summaries);
    const left = [...counts].map(([name, count]) => `${count} in ${name}`);
    if (left.length === 0 || Date.now() > until) return { from, to: Date.now(), left };
    await pause(500);
  }
}

/** While there was no fault, no request failed, was refused or was late, and no effect was late or came twice. */
export function countCalm(calms: readonly Calm[], accepted: Accepted, mails: readonly Received[]): Count {
  const within = (at: number) => calms.some(({ from, to }) => at >= from && at <= to);
  const requests = accepted.requests.filter(({ from }) => within(from));
  const calls = accepted.calls.filter(({ from }) => within(from));
  const late = requests.filter(({ from, to }) => to - from > requestMs);
  const refused = accepted.refusals.filter(within);
  const failed = calls.filter(({ outcome }) => outcome !== 'answered');
  const lateCalls = calls.filter(({ from, to }) => to - from > callTimeoutMs);
  const seen = new Set<string>();
  const doubled = mails.filter(({ messageId, to, at }) => {
    const key = `${messageId} ${to}`;
    const again = seen.has(key) && within(at);
    seen.add(key);
    return again;
  });
  const at = (time: number) => new Date(time).toISOString();
  const problems = [
    ...late.map(({ from, to }) => `a request was accepted after ${to - from} ms`),
    ...refused.map((time) => `a request was refused at ${at(time)}`),
    ...failed.map(({ method, from, outcome }) => `${method} at ${at(from)}: ${outcome}`),
    ...lateCalls.map(({ method, from, to }) => `${method} came to an end after ${to - from} ms`),
    ...doubled.map(({ to, subject }) => `a second mail to ${to}: ${subject}`),
    ...calms.flatMap(({ left }) =>
      left.map((each) => `${each}, ${effectMs / 1000} s after the last request`),
    ),
    ...(requests.length + calls.length === 0 ? ['nothing was requested'] : []),
  ];
  const got = `${requests.length} requests, ${calls.length} calls`;
  return { what: 'all in calm', expected: `${calms.length} times`, got, problems };
}
