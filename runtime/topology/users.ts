import { createHash, randomBytes } from 'node:crypto';
import * as z from 'zod';
import { managementApi } from './management.ts';
import type { BrokerUser } from './user-rights.ts';

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
