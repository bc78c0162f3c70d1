import * as z from 'zod';
import { managementApi } from './management.ts';
import { sharedRetryName } from './names.ts';

const exchangeNames = () => z.array(z.object({ name: z.string() }));

/**
 * Returns the retry exchanges at a broker that all work queues shared before each had its own retry queues. Functions that
 * were deployed with them need the right to publish to them until an operator removes them.
 *
 * @param options.managementUrl URL of the management API, with its login.
 * @param options.vhost as a path of the API contains it: `%2F`.
 * @throws as `managementApi`.
 */
export async function sharedRetryExchanges(options: {
  managementUrl: string;
  vhost: string;
}): Promise<string[]> {
  const api = managementApi(options.managementUrl, 10_000);
  const listed = (await api.get(`exchanges/${options.vhost}?columns=name`, exchangeNames())) ?? [];
  return listed.map(({ name }) => name).filter(isSharedRetry);
}

function isSharedRetry(name: string): boolean {
  const [seconds] = /\d+(?=s$)/.exec(name) ?? [];
  return seconds !== undefined && name === sharedRetryName(Number(seconds));
}
