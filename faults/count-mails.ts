import type { Kysely } from 'kysely';
import type { Database } from '../shared/database/schema.ts';
import type { Count } from './compare.ts';
import type { Accepted } from './load.ts';
import { explainDoubles, mailsOf, type Wanted } from './mails.ts';
import type { Parts } from './parts.ts';
import type { Struck } from './strikes.ts';

interface WantedMails {
  friends: Wanted[];
  teams: Wanted[];
}

/** The mails that follow from what was accepted. */
export async function wantedMails(
  db: Kysely<Database>,
  { pictures, alerts }: Accepted,
): Promise<WantedMails> {
  const friendships = await db
    .selectFrom('friendships')
    .innerJoin('users', 'users.id', 'friendships.friend_id')
    .select(['friendships.user_id', 'users.email'])
    .execute();
  const toFriends: Wanted[] = pictures.flatMap(({ id, userId }) =>
    friendships
      .filter(({ user_id }) => user_id === userId)
      .map(({ email }) => ({ to: email, about: `(number ${id})` })),
  );
  const good = alerts.filter((alert) => alert.good);
  const toTeam = (matches: RegExp, to: string): Wanted[] =>
    good.filter(({ routingKey }) => matches.test(routingKey)).map(({ token }) => ({ to, about: token }));
  return {
    friends: toFriends,
    teams: [...toTeam(/^critical\./, 'ops@example.com'), ...toTeam(/\.rate_limit$/, 'api@example.com')],
  };
}

/** Everybody has got theirs, nobody another, and none came twice without a fault that explains it. */
export function countMails(
  { mailbox }: Parts,
  { friends, teams }: WantedMails,
  struck: readonly Struck[],
): Count[] {
  const received = mailsOf(mailbox.mails);
  const explained: Struck[] = [];
  const unexplained: string[] = [];
  const count = (what: string, wanted: readonly Wanted[]): Count => {
    const problems: string[] = [];
    let got = 0;
    for (const mail of wanted) {
      const times = received.take(mail);
      got += times.length;
      if (times.length === 0) problems.push(`no mail to ${mail.to} about ${mail.about}`);
      const doubles = explainDoubles(times, struck);
      explained.push(...doubles.explained);
      if (doubles.unexplained > 0)
        unexplained.push(`${times.length} mails to ${mail.to} about ${mail.about}`);
    }
    return { what, expected: wanted.length, got, problems };
  };
  const counts = [count('friends mailed', friends), count('teams mailed', teams)];
  counts[1]?.problems.push(...received.rest().map((about) => `a mail that nobody was to get: ${about}`));
  return [
    ...counts,
    ...countExplained(explained),
    { what: 'mails doubled otherwise', expected: 0, got: unexplained.length, problems: unexplained },
  ];
}

/** A line for each kind of fault, with how many mails came twice because of it. */
function countExplained(faults: readonly Struck[]): Count[] {
  const numbers = new Map<string, number>();
  for (const { name } of faults) numbers.set(name, (numbers.get(name) ?? 0) + 1);
  return [...numbers].map(([name, got]) => ({
    what: 'mails doubled',
    expected: `by: ${name}`,
    got,
    problems: [],
  }));
}
