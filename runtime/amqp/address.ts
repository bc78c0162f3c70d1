import { isIPv6 } from 'node:net';
import { WarrenError } from '../base/errors.ts';
import { decode, splitUri } from './uri.ts';
import { readParameters, type UriParameters } from './uri-parameters.ts';
import { brokerUrls } from './urls.ts';

/** The parts of an AMQP URI: the address of a broker and the login. */
export interface BrokerAddress {
  secure: boolean;
  /** Name or IP address; an IPv6 address without its brackets. */
  host: string;
  port: number;
  username: string;
  password: string;
  vhost: string;
  parameters: UriParameters;
  /** Host, port and vhost, for log lines and errors. */
  label: string;
}

const expected = 'expected a URL such as amqp://user:password@host:5672/vhost';

/**
 * Takes an AMQP URI apart. It reads liberally: user, password and vhost may be percent-encoded UTF-8 or plain text, and a
 * vhost may be encoded (`%2F`) or not (`//`). A missing host is localhost, a missing login is guest with password guest, and a
 * missing or empty vhost is the default one, because RabbitMQ has none without a name. A slash after a vhost is no part of it.
 *
 * @param text the URI. Errors never quote it, because it contains a password.
 * @throws WarrenError ERR_CONFIG if it is not an AMQP URI, or if a query parameter is unknown or wrong.
 * @see https://www.rabbitmq.com/docs/uri-spec
 */
export function parseAddress(text: string): BrokerAddress {
  const address = readAddress(text);
  if (typeof address === 'string') throw new WarrenError('ERR_CONFIG', `AMQP_URL: ${address}`);
  return address;
}

/**
 * Takes the URLs of a cluster's nodes apart.
 *
 * @param url a list, or a text with commas. Plain JavaScript may pass an environment variable that is not set.
 * @throws WarrenError ERR_CONFIG if there is none, or one is no AMQP URI.
 */
export function parseAddresses(url: string | readonly string[] | undefined): readonly BrokerAddress[] {
  const addresses = (typeof url === 'string' ? brokerUrls(url) : (url ?? [])).map(parseAddress);
  if (addresses.length > 0) return addresses;
  throw new WarrenError('ERR_CONFIG', 'url: expected at least one AMQP URL, got none');
}

/** Returns what is wrong with an AMQP URI, without the URI; undefined if nothing is. */
export function addressProblem(text: string): string | undefined {
  const address = readAddress(text);
  return typeof address === 'string' ? address : undefined;
}

/** The same broker and login with another vhost. */
export function withVhost(address: BrokerAddress, vhost: string): BrokerAddress {
  const other = { ...address, vhost };
  return { ...other, label: labelOf(other) };
}

/** @returns the address, or what is wrong with the text. */
function readAddress(text: string): BrokerAddress | string {
  const parts = splitUri(text);
  if (!parts) return `${expected}, got ${scheme(text)}`;
  const { secure, login, path = '', query = '', fragment } = parts;
  if (fragment !== undefined) return `${expected}, got a # that is not written %23`;
  const [, host = '', port = ''] = /^(\[[^\]]+\]|[^:[\]]*)(?::(\d*))?$/u.exec(parts.address) ?? [];
  const name = host.startsWith('[') ? decode(host.slice(1, -1)) : decode(host);
  const wrongName = host.startsWith('[') ? !isIPv6(name) : /[\s\p{Cc}/?#@\\^|<>]/u.test(name);
  if (wrongName || Number(port) > 65_535 || (host === '' && !/^(:\d*)?$/.test(parts.address))) {
    return `${expected}, got another host or port`;
  }
  const parameters = readParameters(query, secure);
  if (typeof parameters === 'string') return parameters;
  const [username = '', ...password] = (login ?? 'guest:guest').split(':');
  const address = {
    secure,
    host: name || 'localhost',
    port: Number(port) || (secure ? 5671 : 5672),
    username: decode(username),
    password: decode(password.join(':')),
    vhost: decode(path.slice(1).replace(/(?<=[^/])\/+$/, '')) || '/',
    parameters,
  };
  return { ...address, label: labelOf(address) };
}

/** The scheme of a text that is not an AMQP URI. The rest may be a password. */
const scheme = (text: string): string =>
  URL.canParse(text) ? `a URL that begins with ${new URL(text).protocol}` : 'text that is not a URL';

function labelOf({ host, port, vhost }: Pick<BrokerAddress, 'host' | 'port' | 'vhost'>): string {
  const shown = host.includes(':') ? `[${host}]` : host;
  return `${shown}:${port}${vhost === '/' ? '' : `/${vhost}`}`;
}
