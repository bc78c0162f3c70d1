import { brokerUrls } from '../amqp/urls.ts';
import { vhostInPath } from '../topology/management.ts';
import type { Service } from '../topology/service-file.ts';
import { sharedRetryExchanges } from '../topology/shared-retries.ts';
import { type AppliedUser, applyUsers, compileUsers } from '../topology/users.ts';
import { environment, required } from './context.ts';

/** Creates the users of a service at the broker of AMQP_URL, with passwords from the environment. */
export async function makeUsers({ section, functions }: Service): Promise<AppliedUser[]> {
  const env = environment();
  const broker = {
    managementUrl: required('AMQP_MANAGEMENT_URL'),
    vhost: vhostInPath(brokerUrls(required('AMQP_URL'))[0] ?? ''),
  };
  const users = compileUsers(section, functions, await sharedRetryExchanges(broker));
  return applyUsers({
    ...broker,
    users,
    passwords: Object.fromEntries(users.map(({ name }) => [name, env[passwordVariable(name)]])),
  });
}

/** Variable with the password of a user: `AMQP_PASSWORD_ORDER_CLIENT` for `order-client`. */
export const passwordVariable = (user: string): string =>
  `AMQP_PASSWORD_${user.toUpperCase().replaceAll('-', '_')}`;
