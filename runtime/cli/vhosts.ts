import { Option } from 'commander';
import { parseAddresses } from '../amqp/address.ts';
import { brokerUrls, urlInVhost } from '../amqp/urls.ts';
import { WarrenError } from '../base/errors.ts';
import { required } from './context.ts';

export const vhostOption = (): Option =>
  new Option('--vhost <name>', 'virtual host at the broker, in place of the one in AMQP_URL');

/** The URLs in AMQP_URL, or those that are given, with another virtual host if there is one. */
export function brokerUrl(vhost?: string, given?: string): string {
  const url = given ?? required('AMQP_URL');
  if (vhost === undefined) return url;
  return brokerUrls(url)
    .map((each) => urlInVhost(each, vhost))
    .join(',');
}

/** A virtual host, and the URLs of the broker that name it. */
export interface Vhost {
  name: string;
  url: string;
}

/** The options of `selectedVhosts`. */
export interface VhostsOptions {
  vhost?: string;
  manifest?: string;
}

export const vhostsOptions = (): Option[] => [
  new Option('--vhost <name>', 'only this virtual host, in place of the one in AMQP_URL and of all others'),
  new Option(
    '-m, --manifest <file>',
    'what `warren manifest` wrote: also every virtual host that its functions read from',
  ).env('WARREN_MANIFEST'),
];

/**
 * Returns the virtual host that the options name, or else that of AMQP_URL and each that a function of the manifest reads from.
 *
 * @throws WarrenError ERR_CONFIG if the manifest cannot be read.
 */
export async function selectedVhosts({ vhost, manifest }: VhostsOptions): Promise<Vhost[]> {
  if (vhost !== undefined) return [{ name: vhost, url: brokerUrl(vhost) }];
  const url = required('AMQP_URL');
  const own = parseAddresses(url)[0]?.vhost ?? '/';
  if (manifest === undefined) return [{ name: own, url }];
  // Most commands read no manifest, and its modules are more than half of the rest.
  const { mappingsOf } = await import('./manifest-mappings.ts');
  const read = await mappingsOf(url, manifest);
  const names = new Set([own, ...read.map((mapping) => mapping.vhost)]);
  return [...names].map((name) => ({ name, url: brokerUrl(name) }));
}

/**
 * Runs a task in each virtual host, one after the other.
 *
 * @throws WarrenError that names the virtual host and those that are done, if there are several.
 */
export async function inEach<Result>(
  vhosts: readonly Vhost[],
  run: (vhost: Vhost) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  for (const vhost of vhosts) {
    try {
      results.push(await run(vhost));
    } catch (cause) {
      if (!(cause instanceof WarrenError) || vhosts.length === 1) throw cause;
      const before = vhosts.slice(0, results.length).map(({ name }) => `"${name}"`);
      const done = before.length > 0 ? `; done before in ${before.join(', ')}` : '';
      throw new WarrenError(cause.code, `virtual host "${vhost.name}": ${cause.message}${done}`, { cause });
    }
  }
  return results;
}
