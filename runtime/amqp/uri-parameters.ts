import { decode } from './uri.ts';

/** The query parameters of an AMQP URI. A missing one has the default of the connection. */
export interface UriParameters {
  /** Seconds between heartbeats; 0 switches them off. */
  heartbeat?: number;
  /** Limit for socket and handshake in milliseconds. */
  connectionTimeout?: number;
  channelMax?: number;
  frameMax?: number;
  locale?: string;
  authMechanism?: 'plain' | 'amqplain' | 'external' | 'oauth2' | 'aws-iam';
  /** With `oauth2`: where a token is requested for the client that the login names, and for what. `aws-iam` takes the audience only. */
  tokenEndpoint?: string;
  scope?: string;
  audience?: string;
  /** Files in PEM. */
  cacertfile?: string;
  certfile?: string;
  keyfile?: string;
  /** Passphrase of the key. */
  password?: string;
  verify?: 'verify_peer' | 'verify_none';
  /** A server's option that is often copied into URIs. A broker always has a certificate, so `verify` already implies it. */
  failIfNoPeerCert?: 'true' | 'false';
  /** The name that the broker's certificate must have, if it is not the host. */
  serverNameIndication?: string;
}

type Name = keyof UriParameters;
type Read = (text: string) => unknown;

const whole =
  (least: number): Read =>
  (text) =>
    /^\d{1,9}$/.test(text) && Number(text) >= least ? Number(text) : undefined;
const oneOf =
  (...values: string[]): Read =>
  (text) =>
    values.find((value) => value === text.toLowerCase());
const anyText: Read = (text) => (text === '' ? undefined : text);
/** The client's secret goes there, so that it has to be encrypted, unless it stays on the machine. */
const endpoint: Read = (text) => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const local = /^(localhost|127\.0\.0\.1|\[::1\])$/.test(url?.hostname ?? '');
  const fine = url?.protocol === 'https:' || (url?.protocol === 'http:' && local);
  return fine && url?.username === '' ? text : undefined;
};

/** What is expected of each parameter, and how its text is read; undefined if it is not that. */
const known: Readonly<Record<Name, readonly [uri: string, expected: string, read: Read, tls?: true]>> = {
  heartbeat: ['heartbeat', 'seconds', whole(0)],
  connectionTimeout: ['connection_timeout', 'milliseconds, at least 1', whole(1)],
  channelMax: ['channel_max', 'a number', whole(0)],
  frameMax: ['frame_max', 'a number of bytes', whole(0)],
  locale: ['locale', 'a locale such as en_US', anyText],
  authMechanism: [
    'auth_mechanism',
    'plain, amqplain, external, oauth2 or aws-iam',
    oneOf('plain', 'amqplain', 'external', 'oauth2', 'aws-iam'),
  ],
  tokenEndpoint: ['token_endpoint', 'an https URL', endpoint],
  scope: ['scope', 'scopes', anyText],
  audience: ['audience', 'an audience', anyText],
  cacertfile: ['cacertfile', 'a path', anyText, true],
  certfile: ['certfile', 'a path', anyText, true],
  keyfile: ['keyfile', 'a path', anyText, true],
  password: ['password', 'the passphrase of keyfile', anyText, true],
  verify: ['verify', 'verify_peer or verify_none', oneOf('verify_peer', 'verify_none'), true],
  failIfNoPeerCert: ['fail_if_no_peer_cert', 'true or false', oneOf('true', 'false'), true],
  serverNameIndication: ['server_name_indication', 'the name in the certificate', anyText, true],
};
const names = Object.keys(known) as Name[];

/** The parameters that also a URL of the management API may have. */
export const tlsParameters: readonly Name[] = names.filter((name) => known[name][3]);

/** `channelMax` of amqplib is `channel_max` of RabbitMQ. */
const plain = (name: string): string => name.replaceAll('_', '').toLowerCase();

/**
 * Reads the query of an AMQP URI. If a parameter comes twice, the first counts.
 *
 * @param secure whether the URI uses TLS.
 * @param allowed the parameters that it may have, default all.
 * @returns the parameters; or a text that names the first one that is unknown, or not as expected. A value is never quoted,
 *   because it may be a passphrase.
 * @see https://www.rabbitmq.com/docs/uri-query-parameters
 */
export function readParameters(
  query: string,
  secure: boolean,
  allowed: readonly Name[] = names,
): UriParameters | string {
  const read: Record<string, unknown> = {};
  for (const pair of query.split('&').filter((each) => each !== '')) {
    const [written = '', ...rest] = pair.split('=');
    const name = allowed.find((each) => plain(each) === plain(decode(written)));
    if (name === undefined) {
      const expected = allowed.map((each) => known[each][0]).join(', ');
      // A password with a ? of its own would end up here.
      const shown = /^[a-z_]{1,40}$/i.test(written) ? `"${written}"` : 'another name';
      return `expected only the parameters ${expected}, got ${shown}`;
    }
    const [uri, expected, readText, tls] = known[name];
    if (tls && !secure)
      return `parameter ${uri}: expected a URL with TLS, got one without (amqp:// or http://)`;
    const value = readText(decode(rest.join('=')));
    if (value === undefined) return `parameter ${uri}: expected ${expected}, got another value`;
    if (!(name in read)) read[name] = value;
  }
  return oauthProblem(read) ?? read;
}

function oauthProblem({ authMechanism, tokenEndpoint, scope, audience }: UriParameters): string | undefined {
  if (authMechanism === 'oauth2')
    return tokenEndpoint === undefined
      ? 'parameter token_endpoint: expected an https URL with auth_mechanism=oauth2, got none'
      : undefined;
  const isIam = authMechanism === 'aws-iam';
  if (isIam && audience === undefined)
    return 'parameter audience: expected an audience with auth_mechanism=aws-iam, got none';
  const given = [tokenEndpoint, scope, isIam ? undefined : audience].some((value) => value !== undefined);
  return given
    ? 'parameters token_endpoint, scope, audience: expected auth_mechanism=oauth2 beside them, got none'
    : undefined;
}
