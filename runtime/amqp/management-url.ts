import { WarrenError } from '../base/errors.ts';
import type { BrokerAddress } from './address.ts';
import { decode } from './uri.ts';
import { readParameters, tlsParameters } from './uri-parameters.ts';

/** The parts of a URL of the management API. Its label is host and port. */
export interface ManagementAddress extends Omit<BrokerAddress, 'vhost'> {
  /** Path of the API, without a slash at its end: `/api`, or with the prefix of the broker before it. */
  path: string;
}

const expected = 'expected a URL such as http://user:password@host:15672';

/**
 * Takes a URL of the management API apart. Login and TLS parameters are read as those of an AMQP URI; slashes and `/api` at the
 * end of its path make no difference.
 *
 * @throws WarrenError ERR_CONFIG if it is invalid. The error does not contain it, because of the password.
 */
export function parseManagementUrl(text: string): ManagementAddress {
  const address = readManagementUrl(text);
  if (typeof address === 'string') throw new WarrenError('ERR_CONFIG', `AMQP_MANAGEMENT_URL: ${address}`);
  return address;
}

/** Returns what is wrong with a URL of the management API, without the URL; undefined if nothing is. */
export function managementProblem(text: string): string | undefined {
  const address = readManagementUrl(text);
  return typeof address === 'string' ? address : undefined;
}

function readManagementUrl(text: string): ManagementAddress | string {
  if (!URL.canParse(text)) return `${expected}, got text that is not a URL`;
  const { protocol, hostname, host, port, pathname, username, password, search, hash } = new URL(text);
  if (protocol !== 'http:' && protocol !== 'https:')
    return `${expected}, got one that begins with ${protocol}`;
  if (hash !== '') return `${expected}, got a # that is not written %23`;
  const secure = protocol === 'https:';
  const parameters = readParameters(search.slice(1), secure, tlsParameters);
  if (typeof parameters === 'string') return parameters;
  const anonymous = username === '' && password === '';
  return {
    secure,
    host: hostname.replace(/^\[|\]$/g, ''),
    label: host,
    port: Number(port) || (secure ? 443 : 80),
    path: `${pathname.replace(/\/+(api\/*)?$/, '')}/api`,
    username: anonymous ? 'guest' : decode(username),
    password: anonymous ? 'guest' : decode(password),
    parameters,
  };
}
