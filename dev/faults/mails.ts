import type { Struck } from './course.ts';
import type { Received } from './mailbox.ts';

/** An expected mail. */
export interface Wanted {
  to: string;
  /** A text that is in this mail and in no other one to the same address. */
  about: string;
}

/** Mails by what they are about. A digest is about several pictures. */
export interface Sorted {
  /** Such mails, in the order they came. Each subject is taken once. */
  take(mail: Wanted): Received[];
  /** What was never taken. */
  rest(): Received[];
}

const picture = /\(number \d+\)/g;
const alertToken = /[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}/;

/** What a mail is about: the numbers of its pictures, or else the token of its alert. */
function subjectsOf({ text, subject }: Received): string[] {
  const pictures = text.match(picture);
  return pictures ? [...pictures] : [alertToken.exec(text)?.[0] ?? subject];
}

export function sortMails(received: readonly Received[]): Sorted {
  const mails = new Map<string, Received[]>();
  const untaken = new Set(received);
  for (const mail of received) {
    for (const subject of subjectsOf(mail)) {
      const key = `${mail.to} ${subject}`;
      mails.set(key, [...(mails.get(key) ?? []), mail]);
    }
  }
  return {
    take(mail) {
      const key = `${mail.to} ${mail.about}`;
      const result = mails.get(key) ?? [];
      mails.delete(key);
      for (const each of result) untaken.delete(each);
      return result;
    },
    rest: () => [...untaken],
  };
}

/** What the database recorded about the sending of one mail. */
export interface SendingRecord {
  /** How often a delivery claimed the mail. Each claim sends it at most once. */
  claims: number;
  /** How often it was claimed although the row already recorded that it was sent. */
  claimsAfterSent: number;
}

/** By Message-ID. */
export type SendingRecords = ReadonlyMap<string, SendingRecord>;

/** How much later than the mail server we may learn of a mail, in milliseconds. */
const late = 2000;

export interface Doubles {
  explained: Struck[];
  unexplained: number;
  /** When the copies came, and what the database recorded about them. */
  evidence: string;
}

/**
 * Finds the faults that explain why one mail came more than once. Such a fault struck between the moment the mail server
 * accepted the previous copy and the moment that was to be recorded. And the row shows that it came late: each copy has a claim
 * of its own, and none was claimed after the row recorded that the mail was sent.
 */
export function explainDoubles(
  copies: readonly Received[],
  struck: readonly Struck[],
  { away, records }: { away: number; records: SendingRecords },
): Doubles {
  const [first] = copies;
  const doubles = copies.length - 1;
  if (!first || doubles === 0) return { explained: [], unexplained: 0, evidence: '' };
  const isOne = copies.every(({ messageId }) => messageId === first.messageId);
  const record = records.get(first.messageId) ?? { claims: 0, claimsAfterSent: 0 };
  const { claims, claimsAfterSent } = record;
  const times = copies.map(({ at }) => new Date(at).toISOString().slice(11, 23)).join(', ');
  const evidence = `at ${times}, ${isOne ? 'one Message-ID' : 'several Message-IDs'}, ${JSON.stringify(record)}`;
  if (!isOne || claims < copies.length || claimsAfterSent > 0) {
    return { explained: [], unexplained: doubles, evidence };
  }
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
  return { explained, unexplained: doubles - explained.length, evidence };
}
