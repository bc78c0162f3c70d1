import type { Received } from './mailbox.ts';
import type { Struck } from './strikes.ts';

/** A mail that somebody is to get. */
export interface Wanted {
  to: string;
  /** A text that is in this mail and in no other one to the same address. */
  about: string;
}

/** Mails by what they are about. */
export interface Sorted {
  /** When such mails came; each is taken once. */
  take(mail: Wanted): number[];
  /** What was never taken. */
  rest(): string[];
}

/** What a mail is about: the number of a picture, or the token of an alert. */
const about = /\(number \d+\)|[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}/;

export function mailsOf(received: readonly Received[]): Sorted {
  const times = new Map<string, number[]>();
  for (const { to, subject, text, at } of received) {
    const key = `${to} ${about.exec(text)?.[0] ?? subject}`;
    times.set(key, [...(times.get(key) ?? []), at]);
  }
  return {
    take(mail) {
      const key = `${mail.to} ${mail.about}`;
      const result = times.get(key) ?? [];
      times.delete(key);
      return result;
    },
    rest: () => [...times.keys()],
  };
}

/** How long after a mail was taken its row may still be unwritten, in milliseconds: a database that does not answer. */
const writing = 15_000;

/**
 * The faults that explain why a mail came more than once: each struck between the moment the mail server took the one
 * before and the moment that was written down. A fault explains one of them.
 */
export function explainDoubles(
  times: readonly number[],
  struck: readonly Struck[],
): { explained: Struck[]; unexplained: number } {
  const faults = new Set(struck.filter(({ mayDouble }) => mayDouble));
  const explained = times.slice(0, -1).flatMap((at) => {
    const fault = [...faults].find(({ from, to }) => from <= at + writing && to >= at);
    if (!fault) return [];
    faults.delete(fault);
    return [fault];
  });
  return { explained, unexplained: Math.max(0, times.length - 1 - explained.length) };
}
