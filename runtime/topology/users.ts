import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { WarrenError } from '../base/errors.ts';
import { consumedQueues } from './compile.ts';
import { managementApi } from './management.ts';
import { deadExchange, deadLetters, retryExchange } from './names.ts';
import { queueKinds } from './queue-settings.ts';
import type { Section } from './schema.ts';

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

/**
 * Derives the users of `custom.warren.users` and their rights from the topology and the functions. A user that runs a
 * function may read its queues, and publish failed messages to the retry exchange and to the dead letters. A user with
 * `setsAside` may publish in the same way. A user with only `consumes` may only read. A user that answers may publish to the
 * default exchange. No user may declare or delete anything but its own reply queue.
 *
 * @param sharedRetries retry exchanges of an earlier version that exist at the broker (`sharedRetryExchanges`), to which
 *   functions of that version publish; default none.
 * @throws WarrenError ERR_TOPOLOGY if a user names a function, an exchange or a queue that does not exist.
 */
export function compileUsers(
  section: Section,
  functions: Readonly<Record<string, { events?: readonly unknown[] | undefined }>>,
  sharedRetries: readonly string[] = [],
): BrokerUser[] {
  const { users } = section;
  const exchanges = Object.keys(section.exchanges);
  const kinds = queueKinds(section);
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
    return {
      name,
      tags: user.manages ? ['management'] : [],
      configure: user.asks ? ownQueues : nothing,
      write: oneOf([
        ...user.publishes,
        ...(failing.length > 0 ? [deadExchange] : []),
        ...(retries ? [retryExchange, ...sharedRetries] : []),
        ...(answers || user.replays ? [defaultExchange] : []),
      ]),
      read: anyOf([
        user.asks ? ownQueues : nothing,
        oneOf([...queues, ...user.consumes, ...(user.replays ? [deadLetters] : [])]),
      ]),
    };
  });
  if (problems.length === 0) return compiled;
  throw new WarrenError('ERR_TOPOLOGY', `the users are inconsistent:\n  ${problems.join('\n  ')}`);
}

const nothing = '^$';

function oneOf(names: readonly string[]): string {
  if (names.length === 0) return nothing;
  const escaped = names.map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return `^(${escaped.join('|')})$`;
}

function anyOf(patterns: readonly string[]): string {
  const some = patterns.filter((pattern) => pattern !== nothing);
  return some.length > 0 ? some.join('|') : nothing;
}

/** The result for a user. */
export interface AppliedUser {
  name: string;
  /** `changed`: its rights, tags or password were different before. */
  was: 'created' | 'changed' | 'unchanged';
  /** The generated password of a new user without a given one. It cannot be read again. */
  password?: string;
}

export interface UsersOptions {
  /** URL of the management API, with the login of an administrator. */
  managementUrl: string;
  /** Virtual host as a path of the API contains it: `%2F`. */
  vhost: string;
  users: readonly BrokerUser[];
  /** By name. Without a password, an existing user keeps its own, and a new user gets a generated one. */
  passwords: Readonly<Record<string, string | undefined>>;
  /** Time limit of each request in milliseconds, default 10000. */
  timeoutMs?: number;
}

const knownUser = z.object({
  password_hash: z.string(),
  hashing_algorithm: z.string().default('rabbit_password_hashing_sha256'),
  /** A list since RabbitMQ 3.9, text with commas before. */
  tags: z.union([z.array(z.string()), z.string()]),
});
type KnownUser = z.output<typeof knownUser>;
const knownRights = z.object({ configure: z.string(), write: z.string(), read: z.string() });

/**
 * Creates users at the broker, and sets the rights of existing ones to exactly these. A second call changes nothing. Other
 * users stay as they are.
 *
 * @throws UnavailableError if the management API is unavailable, WarrenError ERR_BROKER_REFUSED if the login lacks the right.
 */
export async function applyUsers(options: UsersOptions): Promise<AppliedUser[]> {
  const { managementUrl, vhost, users, passwords, timeoutMs = 10_000 } = options;
  const api = managementApi(managementUrl, timeoutMs);
  const applied: AppliedUser[] = [];
  for (const { name, tags, configure, write, read } of users) {
    const path = encodeURIComponent(name);
    const known = await api.get(`users/${path}`, knownUser);
    const given = passwords[name];
    const made = known || given ? undefined : randomBytes(24).toString('base64url');
    const password = given ?? made;
    const differs =
      !known || tagsOf(known).join() !== tags.join() || (given !== undefined && !isPassword(known, given));
    if (differs) {
      const secret = password === undefined ? keptSecret(known as KnownUser) : { password };
      await api.put(`users/${path}`, { tags: tags.join(','), ...secret });
    }
    const rights = await api.get(`permissions/${vhost}/${path}`, knownRights);
    const wanted = { configure, write, read };
    const same = rights && JSON.stringify(knownRights.parse(wanted)) === JSON.stringify(rights);
    if (!same) await api.put(`permissions/${vhost}/${path}`, wanted);
    const was = !known ? 'created' : differs || !same ? 'changed' : 'unchanged';
    applied.push({ name, was, ...(made !== undefined && { password: made }) });
  }
  return applied;
}

const tagsOf = ({ tags }: KnownUser): string[] =>
  (typeof tags === 'string' ? tags.split(',') : tags).filter((tag) => tag !== '');

/** Returns the stored password, because a PUT without a password locks the user out. */
function keptSecret({ password_hash, hashing_algorithm }: KnownUser): Record<string, string> {
  return { password_hash, hashing_algorithm };
}

/** Compares with a stored password (rabbitmq.com/docs/passwords): four bytes of salt, then the hash of salt and password. */
function isPassword({ password_hash, hashing_algorithm }: KnownUser, password: string): boolean {
  const stored = Buffer.from(password_hash, 'base64');
  const algorithm = /sha512$/.test(hashing_algorithm) ? 'sha512' : 'sha256';
  const hash = createHash(algorithm).update(stored.subarray(0, 4)).update(password).digest();
  return hash.equals(stored.subarray(4));
}
