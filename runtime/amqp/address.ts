import { WarrenError } from '../base/errors.ts';
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
  /** Query parameters. If one comes twice, the first counts. */
  parameters: ReadonlyMap<string, string>;
  /** Host, port and vhost, for log lines and errors. */
  label: string;
}

const expected = 'expected a URL such as amqp://user:password@host:5672/vhost';
const defaultPorts = { 'amqp:': 5672, 'amqps:': 5671 } as const;

/**
 * Takes an AMQP URI apart. It reads liberally: user, password and vhost may be percent-encoded UTF-8 or plain text, a vhost
 * may be encoded (`%2F`) or not (`//`), and a slash without a vhost means the default one.
 *
 * @param text the URI. Errors never quote it, because it contains a password.
 * @throws WarrenError ERR_CONFIG if it is not an AMQP URI.
 * @see https://www.rabbitmq.com/docs/uri-spec
 */
export function parseAddress(text: string): BrokerAddress {
  if (!URL.canParse(text)) throw wrong('text that is not a URL');
  const url = new URL(text);
  const port = defaultPorts[url.protocol as keyof typeof defaultPorts];
  if (port === undefined) throw wrong(`a URL that begins with ${url.protocol}`);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (host === '') throw wrong('a URL without a host');
  const vhost = decode(url.pathname.slice(1)) || '/';
  const none = url.username === '' && url.password === '';
  const address = {
    secure: url.protocol === 'amqps:',
    host: decode(host),
    port: Number(url.port) || port,
    username: none ? 'guest' : decode(url.username),
    password: none ? 'guest' : decode(url.password),
    vhost,
    parameters: firstOf(url.searchParams),
  };
  return { ...address, label: labelOf(address) };
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

/** The same broker and login with another vhost. */
export function withVhost(address: BrokerAddress, vhost: string): BrokerAddress {
  const other = { ...address, vhost };
  return { ...other, label: labelOf(other) };
}

function labelOf({ host, port, vhost }: Pick<BrokerAddress, 'host' | 'port' | 'vhost'>): string {
  const shown = host.includes(':') ? `[${host}]` : host;
  return `${shown}:${port}${vhost === '/' ? '' : `/${vhost}`}`;
}

/** Decodes a part of a URL. A password such as `100%` is not a valid encoding, so it is returned unchanged. */
export function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function firstOf(parameters: URLSearchParams): ReadonlyMap<string, string> {
  const first = new Map<string, string>();
  for (const [name, value] of parameters) if (!first.has(name)) first.set(name, value);
  return first;
}

const wrong = (got: string): WarrenError =>
  new WarrenError('ERR_CONFIG', `AMQP_URL: ${expected}, got ${got}`);
