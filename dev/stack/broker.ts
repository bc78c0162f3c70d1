import { parseAddresses } from '../../runtime/amqp/address.ts';
import { WarrenError } from '../../runtime/base/errors.ts';
import { startRabbitmq } from '../../runtime/local/rabbitmq.ts';
import { canLogIn } from '../../runtime/local/rabbitmq-node.ts';
import { StackError } from '../../runtime/local/stack-error.ts';
import type { Part, StackContext } from './context.ts';

/** A user with minimal rights for each kind of foreign client. */
const users = [
  { name: 'alert_user', password: 'alertme', configure: '^$', write: '^alerts$', read: '^$' },
  {
    name: 'rpc_user',
    password: 'rpcme',
    // The client's own reply queue, which the broker names, or direct reply-to.
    configure: '^amq\\.gen.*$',
    write: '^rpc$',
    read: '^(amq\\.gen.*|amq\\.rabbitmq\\.reply-to.*)$',
  },
];

/**
 * Starts the broker: uses the user's own if AMQP_URL is set, otherwise a private RabbitMQ in the data folder.
 *
 * @throws StackError if the user's broker is unavailable or refuses the login, or if ours cannot be installed or started.
 */
export async function startBroker(context: StackContext): Promise<Part> {
  const given = context.given['AMQP_URL'];
  if (given) return givenBroker(context, given);
  const { secrets, ports } = context;
  const { erlangCookie, broker: password } = secrets;
  const { url, managementUrl, stop } = await startRabbitmq({ ...context, password, erlangCookie, users });
  return {
    env: { AMQP_URL: url, AMQP_MANAGEMENT_URL: managementUrl },
    address: `amqp://127.0.0.1:${ports.amqp}, management page http://127.0.0.1:${ports.management}`,
    stop,
  };
}

async function givenBroker({ given, report }: StackContext, url: string): Promise<Part> {
  report('broker', 'using the broker of AMQP_URL');
  try {
    await canLogIn(url, 'warren start');
  } catch (cause) {
    if (!(cause instanceof WarrenError)) throw cause;
    throw new StackError(`AMQP_URL: ${cause.message}`, { cause });
  }
  const hosts = parseAddresses(url).map(({ label }) => label);
  const env = { AMQP_URL: url, AMQP_MANAGEMENT_URL: given['AMQP_MANAGEMENT_URL'] ?? '' };
  return { env, address: hosts.join(', '), stop: async () => undefined };
}
