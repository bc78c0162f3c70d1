import type { Kysely } from 'kysely';
import type { Database } from '../../shared/database/schema.ts';
import type { Accepted, AcceptedAlert } from './accepted.ts';
import type { Count } from './compare.ts';
import { wantedByWalkers } from './count-bookings.ts';
import type { Struck } from './course.ts';
import type { Received } from './mailbox.ts';
import { explainDoubles, sortMails, type Wanted } from './mails.ts';
import { readSendings } from './sendings.ts';

interface WantedMails {
  friends: Wanted[];
  teams: Wanted[];
}

const audiences = [
  { matches: /^critical\./, to: 'ops@example.com' },
  { matches: /\.rate_limit$/, to: 'api@example.com' },
];

/** The mails that follow from what was accepted, but for alerts that have a key to be the same by. */
async function wantedMails(db: Kysely<Database>, { pictures, alerts }: Accepted): Promise<WantedMails> {
  const friendships = await db
    .selectFrom('friendships')
    .innerJoin('users', 'users.id', 'friendships.friend_id')
    .select(['friendships.user_id', 'users.email'])
    .execute();
  const friends = pictures.flatMap(({ id, userId }) =>
    friendships
      .filter(({ user_id }) => user_id === userId)
      .map(({ email }) => ({ to: email ?? '', about: `(number ${id})` })),
  );
  const single = alerts.filter(({ good, dedupKey }) => good && dedupKey === undefined);
  const teams = audiences.flatMap(({ matches, to }) =>
    single.filter(({ routingKey }) => matches.test(routingKey)).map(({ token }) => ({ to, about: token })),
  );
  return { friends, teams };
}

/** Every recipient got exactly the expected mails, and a fault explains each duplicate. */
export async function countMails(
  { mails, db, away }: { mails: readonly Received[]; db: Kysely<Database>; away: number },
  accepted: Accepted,
  struck: readonly Struck[],
): Promise<Count[]> {
  const received = sortMails(mails);
  const records = await readSendings(db);
  const explained: Struck[] = [];
  const unexplained: string[] = [];
  const explain = (what: string, copies: readonly Received[]) => {
    const doubles = explainDoubles(copies, struck, { away, records });
    explained.push(...doubles.explained);
    if (doubles.unexplained > 0) unexplained.push(`${copies.length} mails ${what}: ${doubles.evidence}`);
  };
  const count = (what: string, wanted: readonly Wanted[]): Count => {
    const problems: string[] = [];
    let got = 0;
    for (const mail of wanted) {
      const copies = received.take(mail);
      if (copies.length === 0) problems.push(`no mail to ${mail.to} about ${mail.about}`);
      else got += 1;
      explain(`to ${mail.to} about ${mail.about}`, copies);
    }
    return { what, expected: wanted.length, got, problems };
  };
  const { friends, teams } = await wantedMails(db, accepted);
  const walkers = await wantedByWalkers(db, accepted.orders);
  const counts = [
    count('friends mailed', friends),
    count('teams mailed', teams),
    count('walkers mailed', walkers),
  ];
  const rest = new Map<string, Received[]>();
  for (const mail of received.rest()) {
    const copies = rest.get(mail.messageId);
    if (copies) copies.push(mail);
    else rest.set(mail.messageId, [mail]);
  }
  for (const copies of rest.values()) explain(`to ${copies[0]?.to}: ${copies[0]?.subject}`, copies);
  counts.push(
    countSame(
      accepted.alerts,
      [...rest.values()].flatMap(([first]) => first ?? []),
    ),
  );
  return [
    ...counts,
    ...countExplained(explained),
    { what: 'mails doubled otherwise', expected: 0, got: unexplained.length, problems: unexplained },
  ];
}

/** A summary contains the number of its alerts and their key. */
const summary = /^([\d,]+) more alerts? with the key "(.*?)"/;

/** Alerts with a key: single mails plus the counts of the summaries equal the number of alerts. */
function countSame(alerts: readonly AcceptedAlert[], mails: readonly Received[]): Count {
  const same = alerts.filter(({ good, dedupKey }) => good && dedupKey !== undefined);
  const wanted = new Map<string, number>();
  for (const { to, matches } of audiences) {
    for (const { routingKey, dedupKey } of same) {
      if (!matches.test(routingKey)) continue;
      wanted.set(`${to} ${dedupKey}`, (wanted.get(`${to} ${dedupKey}`) ?? 0) + 1);
    }
  }
  const reported = new Map<string, number>();
  const problems: string[] = [];
  for (const { to, text, subject } of mails) {
    const [, more, summed] = summary.exec(text) ?? [];
    const key = summed ?? same.find(({ token }) => text.includes(token))?.dedupKey;
    if (key === undefined) problems.push(`an unexpected mail: to ${to}, ${subject}`);
    else {
      const number = more === undefined ? 1 : Number(more.replaceAll(',', ''));
      reported.set(`${to} ${key}`, (reported.get(`${to} ${key}`) ?? 0) + number);
    }
  }
  for (const key of new Set([...wanted.keys(), ...reported.keys()])) {
    const [number, got] = [wanted.get(key) ?? 0, reported.get(key) ?? 0];
    if (number !== got) problems.push(`${key}: mails report ${got} alerts, expected ${number}`);
  }
  const sum = (numbers: Iterable<number>) => [...numbers].reduce((all, each) => all + each, 0);
  return {
    what: 'same alerts counted',
    expected: sum(wanted.values()),
    got: `${sum(reported.values())} in ${mails.length} mails`,
    problems,
  };
}

/** A line for each kind of fault, with how many mails came twice because of it. */
function countExplained(struck: readonly Struck[]): Count[] {
  const numbers = new Map<string, number>();
  for (const { fault } of struck) numbers.set(fault.name, (numbers.get(fault.name) ?? 0) + 1);
  return [...numbers].map(([name, got]) => ({
    what: 'mails doubled',
    expected: `by: ${name}`,
    got,
    problems: [],
  }));
}
