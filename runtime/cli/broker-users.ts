import { brokerUrls } from '../amqp/urls.ts';
import { vhostInPath } from '../topology/management.ts';
import type { Service } from '../topology/service-file.ts';
import { sharedRetryExchanges } from '../topology/shared-retries.ts';
import { compileUsers } from '../topology/user-rights.ts';
import { type AppliedUser, applyUsers } from '../topology/users.ts';
import { environment, required } from './context.ts';
import { brokerUrl } from './vhosts.ts';

/** Creates the users of a service at the broker, with passwords from the environment. */
export async function makeUsers(
  { name = '', section, functions }: Service,
  vhost?: string,
): Promise<AppliedUser[]> {
  const env = environment();
  const broker = managedBroker(vhost);
  // `warren schedule` has the name with its variables resolved.
  const service = name.includes('${') ? undefined : name;
  const users = compileUsers(section, functions, await sharedRetryExchanges(broker), service);
  return applyUsers({
    ...broker,
    users,
    passwords: Object.fromEntries(users.map(({ name }) => [name, env[passwordVariable(name)]])),
  });
}

/** The management API at AMQP_MANAGEMENT_URL, and a virtual host, default that of AMQP_URL. */
export function managedBroker(vhost?: string): { managementUrl: string; vhost: string } {
  return {
    managementUrl: required('AMQP_MANAGEMENT_URL'),
    vhost: vhostInPath(brokerUrls(brokerUrl(vhost))[0] ?? ''),
  };
}

/** Variable with the password of a user: `AMQP_PASSWORD_ORDER_CLIENT` for `order-client`. */
export const passwordVariable = (user: string): string =>
  `AMQP_PASSWORD_${user.toUpperCase().replaceAll('-', '_')}`;
