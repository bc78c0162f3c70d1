import { createHash, randomBytes } from 'node:crypto';

/**
 * Users and rights of our own broker: the administrator, and a user with minimal rights for each kind of foreign client
 * (rabbitmq.com/docs/access-control).
 */
export function brokerDefinitions(adminPassword: string): Record<string, unknown> {
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
      user('alert_user', 'alertme', []),
      user('rpc_user', 'rpcme', []),
    ],
    vhosts: [{ name: '/' }],
    permissions: [
      permission('warren', '.*', '.*', '.*'),
      permission('alert_user', '^$', '^alerts$', '^$'),
      // The client's own reply queue, which the broker names, or direct reply-to.
      permission('rpc_user', '^amq\\.gen.*$', '^rpc$', '^(amq\\.gen.*|amq\\.rabbitmq\\.reply-to.*)$'),
    ],
  };
}

/** The format of rabbitmq.com/docs/passwords: the salt, then SHA-256 of salt and password. */
function passwordHash(password: string): string {
  const salt = randomBytes(4);
  const hash = createHash('sha256').update(salt).update(password).digest();
  return Buffer.concat([salt, hash]).toString('base64');
}
