import type { Struck } from './course.ts';
import type { Received } from './mailbox.ts';

/** An expected mail. */
export interface Wanted {
  to: string;
  /** A text that is in this mail and in no other one to the same address. */
  about: string;
}

/** Mails by what they are about. */
export interface Sorted {
  /** Such mails, in the order they came; each is taken once. */
  take(mail: Wanted): Received[];
  /** What was never taken. */
  rest(): Received[];
}

/** What a mail is about: the number of a picture, or the token of an alert. */
const about = /\(number \d+\)|[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}/;

export function sortMails(received: readonly Received[]): Sorted {
  const mails = new Map<string, Received[]>();
  for (const mail of received) {
    const key = `${mail.to} ${about.exec(mail.text)?.[0] ?? mail.subject}`;
    mails.set(key, [...(mails.get(key) ?? []), mail]);
  }
  return {
    take(mail) {
      const key = `${mail.to} ${mail.about}`;
      const result = mails.get(key) ?? [];
      mails.delete(key);
      return result;
    },
    rest: () => [...mails.values()].flat(),
  };
}

/** How often it was written down that a mail was sent, by its Message-ID. */
export type WrittenDown = ReadonlyMap<string, number>;

/** How much later than it was we may learn of a mail, in milliseconds. */
const late = 2000;

/**
 * The faults that explain why one mail came more than once: each struck between the moment the mail server took the one
 * before and the moment that was to be written down. If it was recorded, no fault explains a second mail.
 */
export function explainDoubles(
  copies: readonly Received[],
  struck: readonly Struck[],
  { away, written }: { away: number; written: WrittenDown },
): { explained: Struck[]; unexplained: number } {
  const [first] = copies;
  const doubles = copies.length - 1;
  if (!first || doubles === 0) return { explained: [], unexplained: 0 };
  const isOne = copies.every(({ messageId }) => messageId === first.messageId);
  if (!isOne || (written.get(first.messageId) ?? 0) > 1) return { explained: [], unexplained: doubles };
  const left = new Set(struck);
  const explained = copies.slice(0, -1).flatMap(({ at }) => {
    const one = [...left].find(({ fault, from, to }) => {
      const window = fault.mayDouble?.(away);
      return window !== undefined && from <= at + window && to >= at - late;
    });
    if (!one) return [];
    left.delete(one);
    return [one];
  });
  return { explained, unexplained: doubles - explained.length };
}
