import { WarrenError } from '../base/errors.ts';
import { consumedQueues } from './consumed-queues.ts';
import { delayAddress, delayEntry, dueQueue } from './delay-names.ts';
import { delayedAddresses } from './delayed-names.ts';
import {
  deadExchange,
  deadLetterLog,
  deadLetterMarks,
  deadLetterNews,
  deadLetters,
  homeExchange,
  retryExchange,
  workersQueue,
} from './names.ts';
import { partitionedQueues } from './partitions.ts';
import { queueKinds } from './queue-settings.ts';
import type { Section } from './schema.ts';
import { limitedQueues } from './tokens.ts';

/** A user of the broker with its rights, as RabbitMQ's regular expressions (rabbitmq.com/docs/access-control). */
export interface BrokerUser {
  name: string;
  /** `management` lets it read the management API. */
  tags: string[];
  configure: string;
  write: string;
  read: string;
}

/** Name of the default exchange in permissions. */
const defaultExchange = 'amq.default';

/** Reply queues, which the broker names. */
const ownQueues = '^amq\\.gen.*$';

/** The queue by which processes of `warren schedule --standby` take turns; without a service, that of every one. */
const turnsOf = (service: string | undefined): string =>
  `^warren\\.schedule\\.${service === undefined ? '' : `${escaped(service)}$`}`;

/**
 * Derives the users of `custom.warren.users` and their rights from the topology and the functions. A user that runs a
 * function may read its queues, and publish failed messages to the retry exchange and to the dead letters. A user with
 * `setsAside` may publish in the same way. A user with only `consumes` may only read. A user that answers may publish to the
 * default exchange. A user may delay messages for the exchanges to which it publishes. A user that counts may declare every queue
 * passively. No user may declare or delete anything but its own reply queue and, with `schedules`, the queue of its service's turn.
 *
 * @param sharedRetries retry exchanges of an earlier version that exist at the broker (`sharedRetryExchanges`), to which
 *   functions of that version publish; default none.
 * @param service name of the service; default unknown, and `schedules` is then a right to the turns of every service.
 * @throws WarrenError ERR_TOPOLOGY if a user names a function, an exchange or a queue that does not exist, or counts a queue
 *   whose name is also that of an exchange to which it may not publish.
 */
export function compileUsers(
  section: Section,
  functions: Readonly<Record<string, { events?: readonly unknown[] | undefined }>>,
  sharedRetries: readonly string[] = [],
  service?: string,
): BrokerUser[] {
  const { users } = section;
  const exchanges = Object.keys(section.exchanges);
  const kinds = queueKinds(section);
  const inner = innerQueues(section);
  const problems: string[] = [];
  const compiled = Object.entries(users).map(([name, user]): BrokerUser => {
    for (const each of user.functions) {
      if (!functions[each]) problems.push(`user "${name}" runs function "${each}", which is not there`);
    }
    for (const each of user.publishes) {
      if (!exchanges.includes(each))
        problems.push(`user "${name}" publishes to "${each}", which is not declared`);
    }
    for (const queue of user.consumes) {
      if (!kinds[queue]) problems.push(`user "${name}" consumes queue "${queue}", which is not declared`);
    }
    const queues = consumedQueues(
      Object.fromEntries(user.functions.map((each) => [each, functions[each] ?? {}])),
    );
    for (const queue of user.setsAside) {
      if (!kinds[queue])
        problems.push(`user "${name}" sets aside for queue "${queue}", which is not declared`);
    }
    const failing = [...queues, ...user.setsAside];
    const retries = failing.some((queue) => kinds[queue] === 'work');
    const answers = user.answers || queues.some((queue) => kinds[queue] === 'rpc');
    const anyQueue = answers || user.replays;
    const write = [
      ...user.publishes,
      ...delayedAddresses(section)
        .filter((address) =>
          address.startsWith(delayAddress('', ''))
            ? anyQueue
            : user.publishes.some((each) => address === delayAddress(each, '')),
        )
        .map(delayEntry),
      ...(failing.length > 0 ? [deadExchange] : []),
      ...(retries ? [retryExchange, ...sharedRetries] : []),
      ...(anyQueue ? [defaultExchange] : []),
    ];
    const counted = user.counts ? countable(section) : nothing;
    for (const each of [...exchanges, deadExchange, retryExchange, homeExchange]) {
      if (new RegExp(counted).test(each) && !write.includes(each)) problems.push(countsExchange(name, each));
    }
    return {
      name,
      tags: user.manages ? ['management'] : [],
      configure: anyOf([user.asks ? ownQueues : nothing, user.schedules ? turnsOf(service) : nothing]),
      write: anyOf([oneOf(write), counted]),
      read: anyOf([
        user.asks ? ownQueues : nothing,
        oneOf([
          ...[...queues, ...user.consumes].flatMap((queue) => [queue, ...(inner.get(queue) ?? [])]),
          ...(user.replays ? replayed : []),
        ]),
      ]),
    };
  });
  if (problems.length === 0) return compiled;
  throw new WarrenError('ERR_TOPOLOGY', `the users are inconsistent:\n  ${problems.join('\n  ')}`);
}

const nothing = '^$';

/** By queue, those that a consumer of it reads as well: its partitions, or the tokens of its limit. */
function innerQueues(section: Section): Map<string, string[]> {
  return new Map([
    ...partitionedQueues(section).map(({ queue, partitions, parked = [] }): [string, string[]] => {
      return [queue, [...partitions, ...parked, workersQueue(queue)]];
    }),
    ...limitedQueues(section).map(({ queue, tokens, consumers }): [string, string[]] => {
      return [queue, [tokens, consumers]];
    }),
  ]);
}

/** A login that replays reads the dead letters and their index. It publishes entries and marks through the default exchange. */
const replayed = [deadLetters, deadLetterNews, deadLetterLog, deadLetterMarks];

/**
 * The names of all queues, whose state is read by passive declaration. From 4.2.7 on RabbitMQ requires a right to the queue for
 * it, any of the three. Only `write` does no harm: it allows binding the queue, which also takes `read` on an exchange.
 * RabbitMQ compiles a pattern at each check, so the retry queues are not listed.
 */
function countable(section: Section): string {
  const { queues } = section;
  const names = Object.keys(queues).map(escaped).join('|');
  const isDivided = partitionedQueues(section).length > 0;
  const partition = isDivided ? '|\\.[0-9]+(\\.parked)?|\\.workers' : '';
  const isLimited = Object.values(queues).some(({ limit }) => limit !== undefined);
  const limits = isLimited ? '|\\.limit\\.[0-9]+-[0-9]+(\\.used|\\.consumers)?' : '';
  const work = names === '' ? nothing : `^(${names})(\\.retry\\.[0-9]+s${partition}${limits})?$`;
  const addresses = delayedAddresses(section);
  const levels = addresses.length === 0 ? nothing : '^warren\\.delay\\.[0-9][0-9]$';
  return anyOf([work, oneOf([deadLetters]), levels, oneOf(addresses.map(dueQueue))]);
}

/** A right covers queues and exchanges of the same name. */
function countsExchange(user: string, exchange: string): string {
  const advice = 'rename either of them, or add the exchange to its "publishes"';
  return `user "${user}" counts queue "${exchange}", whose name is also that of an exchange to which it may not publish; ${advice}`;
}

const escaped = (name: string): string => name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

function oneOf(names: readonly string[]): string {
  return names.length === 0 ? nothing : `^(${names.map(escaped).join('|')})$`;
}

function anyOf(patterns: readonly string[]): string {
  const some = patterns.filter((pattern) => pattern !== nothing);
  return some.length > 0 ? some.join('|') : nothing;
}
