import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { WarrenError } from '../base/errors.ts';
import { consumedQueues } from './compile.ts';
import { managementApi } from './management.ts';
import { deadExchange, deadLetters, retryName } from './names.ts';
import { queueKinds, queueSettings } from './queue-settings.ts';
import type { Section } from './schema.ts';

/** A user of the broker, and what it may do, as RabbitMQ's regular expressions (rabbitmq.com/docs/access-control). */
export interface BrokerUser {
  name: string;
  /** `management` lets it read the management API. */
  tags: string[];
  configure: string;
  write: string;
  read: string;
}

/** The default exchange goes by this name where rights are checked. */
const defaultExchange = 'amq.default';

/** What the broker calls queues that it names itself: those for answers. */
const ownQueues = '^amq\\.gen.*$';

/**
 * Derives the users of `custom.warren.users` and their rights from the topology and the functions: who consumes a queue may
 * read it, and put what failed into the retry queues of that queue and into the dead letters (as may who sets aside for it);
 * who only consumes may read it and no more; who answers may publish to the default exchange; nobody may declare or delete
 * anything but the queue for their own answers.
 *
 * @throws WarrenError ERR_TOPOLOGY where a user is said to run a function, publish to an exchange, or consume or set aside for
 *   a queue, that is not there.
 */
export function compileUsers(
  section: Section,
  functions: Readonly<Record<string, { events?: readonly unknown[] | undefined }>>,
): BrokerUser[] {
  const { users } = section;
  const exchanges = Object.keys(section.exchanges);
  const kinds = queueKinds(section);
  const settings = queueSettings(section);
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
    const work = failing.filter((queue) => kinds[queue] === 'work');
    const delays = new Set(work.flatMap((queue) => settings[queue]?.retryDelays ?? []));
    const answers = user.answers || queues.some((queue) => kinds[queue] === 'rpc');
    return {
      name,
      tags: user.manages ? ['management'] : [],
      configure: user.asks ? ownQueues : nothing,
      write: oneOf([
        ...user.publishes,
        ...(failing.length > 0 ? [deadExchange] : []),
        ...[...delays].map(retryName),
        ...(answers || user.replays ? [defaultExchange] : []),
      ]),
      read: anyOf([
        user.asks ? ownQueues : nothing,
        oneOf([...queues, ...user.consumes, ...(user.replays ? [deadLetters] : [])]),
      ]),
    };
  });
  if (problems.length === 0) return compiled;
  throw new WarrenError('ERR_TOPOLOGY', `the users do not hold together:\n  ${problems.join('\n  ')}`);
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

/** What became of a user. */
export interface AppliedUser {
  name: string;
  /** `changed`: its rights, tags or password were others before. */
  was: 'created' | 'changed' | 'unchanged';
  /** Where none was given for a new user: the one that was made, which is not to be had again. */
  password?: string;
}

export interface UsersOptions {
  /** Of the management API, with an administrator's login. */
  managementUrl: string;
  /** As a path of the API names it: `%2F`. */
  vhost: string;
  users: readonly BrokerUser[];
  /** By name; a user without one keeps what it has, and a new one gets one made. */
  passwords: Readonly<Record<string, string | undefined>>;
  /** How long each request may take in milliseconds, default 10000. */
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
 * Creates users at the broker, or gives those that are there just these rights. Doing it again changes nothing. Users that
 * it is not told of are left alone.
 *
 * @throws UnavailableError where the management API is away, WarrenError ERR_BROKER_REFUSED where the login may not.
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

/** A user that is put without a password can't log in any more. */
function keptSecret({ password_hash, hashing_algorithm }: KnownUser): Record<string, string> {
  return { password_hash, hashing_algorithm };
}

/** As rabbitmq.com/docs/passwords says: four bytes of salt, then the hash over salt and password. */
function isPassword({ password_hash, hashing_algorithm }: KnownUser, password: string): boolean {
  const stored = Buffer.from(password_hash, 'base64');
  const algorithm = /sha512$/.test(hashing_algorithm) ? 'sha512' : 'sha256';
  const hash = createHash(algorithm).update(stored.subarray(0, 4)).update(password).digest();
  return hash.equals(stored.subarray(4));
}
