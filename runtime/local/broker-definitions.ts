import { createHash, randomBytes } from 'node:crypto';

/** A user of the broker with its rights, each a regular expression (rabbitmq.com/docs/access-control). */
export interface BrokerUser {
  name: string;
  password: string;
  configure: string;
  write: string;
  read: string;
}

/** Users and rights of a private broker: the administrator `warren`, and further users. */
export function brokerDefinitions(
  adminPassword: string,
  others: readonly BrokerUser[] = [],
): Record<string, unknown> {
  const user = (name: string, password: string, tags: string[]) => ({
    name,
    password_hash: passwordHash(password),
    hashing_algorithm: 'rabbit_password_hashing_sha256',
    tags: tags.join(','),
    limits: {},
  });
  const permission = (name: string, configure: string, write: string, read: string) => ({
    user: name,
    vhost: '/',
    configure,
    write,
    read,
  });
  return {
    users: [
      user('warren', adminPassword, ['administrator']),
      ...others.map(({ name, password }) => user(name, password, [])),
    ],
    vhosts: [{ name: '/' }],
    permissions: [
      permission('warren', '.*', '.*', '.*'),
      ...others.map(({ name, configure, write, read }) => permission(name, configure, write, read)),
    ],
  };
}

/** The format of rabbitmq.com/docs/passwords: the salt, then SHA-256 of salt and password. */
function passwordHash(password: string): string {
  const salt = randomBytes(4);
  const hash = createHash('sha256').update(salt).update(password).digest();
  return Buffer.concat([salt, hash]).toString('base64');
}
