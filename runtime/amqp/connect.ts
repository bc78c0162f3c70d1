import { type connect as amqpConnect, type ChannelModel, credentials, type Options } from 'amqplib';
import { UnavailableError, WarrenError } from '../base/errors.ts';
import { escapeInLine } from '../base/visible.ts';
import type { BrokerAddress } from './address.ts';
import { clientToken } from './client-token.ts';
import { readInOnePass } from './one-pass/read-in-one-pass.ts';
import { writeInOnePass } from './one-pass/write-in-one-pass.ts';
import { type OpenRefusal, openRefusal } from './open-refusal.ts';
import { keepRawHeaders } from './raw-headers.ts';
import { readInTurns } from './read-in-turns.ts';
import { keepTokenFresh } from './renew-token.ts';
import { stsToken } from './sts-token.ts';
import { readTls } from './tls-files.ts';
import type { Token } from './token.ts';
import { tolerateUnreadable } from './unreadable.ts';
import { writeTogether } from './write-together.ts';

export interface ConnectOptions {
  /** Shown in the management page and in `rabbitmqctl list_connections`. It should name the function. */
  name: string;
  /** Seconds between heartbeats, default 10. A dead peer is detected after two to three of them. */
  heartbeat?: number;
  /** Limit for socket and handshake in milliseconds, default 4000. */
  connectTimeoutMs?: number;
  /** Opens a connection, default amqplib's `connect`. */
  connect?: typeof amqpConnect;
}

/** What the numbers of `ConnectOptions` have to be. */
export const connectNumbers = {
  heartbeat: { least: 0, whole: true },
  connectTimeoutMs: { least: 1 },
} as const;

/**
 * Connects to one address.
 *
 * @throws WarrenError ERR_BROKER_REFUSED if user, password, token or vhost are wrong, ERR_CONFIG if a file for TLS is invalid;
 *   UnavailableError if the broker is unavailable.
 */
export async function connectTo(
  address: BrokerAddress,
  { name, heartbeat, connectTimeoutMs, connect }: Required<ConnectOptions>,
): Promise<ChannelModel> {
  const timeout = address.parameters.connectionTimeout ?? connectTimeoutMs;
  const request = tokenSource(address, timeout);
  const token = await request?.();
  const login = credentialsOf(address, token);
  const tls = address.secure ? await readTls(address.parameters) : undefined;
  try {
    const model = await connect(target(address, heartbeat), {
      noDelay: true,
      keepAlive: true,
      timeout,
      credentials: login,
      ...tls,
      clientProperties: { connection_name: name },
    });
    tolerateUnreadable(model);
    keepRawHeaders(model);
    readInOnePass(model);
    readInTurns(model);
    writeInOnePass(model);
    writeTogether(model);
    if (token && request) keepTokenFresh(model, token, request);
    return model;
  } catch (cause) {
    if (cause instanceof WarrenError) throw cause;
    const { host, port, vhost, parameters } = address;
    const { locale } = parameters;
    throw await connectError(cause, address.label, () =>
      openRefusal({ host, port, vhost, locale, login, tls, ms: timeout }),
    );
  }
}

/** How a token is requested in place of a password; undefined if the broker takes none. */
function tokenSource(address: BrokerAddress, ms: number): (() => Promise<Token>) | undefined {
  const { authMechanism, audience = '' } = address.parameters;
  if (authMechanism === 'oauth2') return () => clientToken(address, ms);
  if (authMechanism === 'aws-iam') return () => stsToken(audience, ms);
  return undefined;
}

/** amqplib would decode the login of a URL byte by byte, which breaks UTF-8. Of an object it decodes only the vhost. */
function target(address: BrokerAddress, heartbeat: number): Options.Connect {
  const { secure, host, port, vhost, parameters } = address;
  return {
    protocol: secure ? 'amqps' : 'amqp',
    hostname: host,
    port,
    vhost: encodeURIComponent(vhost),
    heartbeat: parameters.heartbeat ?? heartbeat,
    ...optional('frameMax', parameters.frameMax),
    ...optional('channelMax', parameters.channelMax),
    ...optional('locale', parameters.locale),
  };
}

function credentialsOf(
  { username, password, parameters }: BrokerAddress,
  token: Token | undefined,
): ReturnType<typeof credentials.external> {
  const { authMechanism: mechanism = 'plain' } = parameters;
  if (mechanism === 'external') return credentials.external();
  if (mechanism === 'oauth2' || mechanism === 'aws-iam')
    return credentials.plain(username, token?.text ?? '');
  return credentials[mechanism](username, password);
}

function optional<Name extends string, T>(name: Name, value: T | undefined): { [N in Name]?: T } {
  return value === undefined ? {} : ({ [name]: value } as { [N in Name]?: T });
}

/** The reply code for a virtual host that is missing or not open to the user, and for limits of connections of either. */
const notAllowed = 530;

/**
 * Translates amqplib's error for a failed connect.
 *
 * @param refusalOf finds out how the broker refuses to open the virtual host.
 * @returns WarrenError ERR_BROKER_REFUSED if the broker refused user, password or virtual host; otherwise UnavailableError.
 */
async function connectError(
  cause: unknown,
  label: string,
  refusalOf: () => Promise<OpenRefusal | undefined>,
): Promise<WarrenError> {
  // amqplib reports the broker's answer to the handshake (AMQP 0-9-1, 1.2) only in this text: with the reply code during the
  // login, and later, when the virtual host is opened, without it.
  const text = cause instanceof Error ? cause.message : '';
  const code = /Handshake terminated by server: (\d{3})/.exec(text)?.[1];
  const isOpening = /^Expected ConnectionOpenOk; got <ConnectionClose\b/.test(text);
  const broker = `the broker at ${label}`;
  if (code === '403') {
    return new WarrenError('ERR_BROKER_REFUSED', `${broker} refused the user or password`, { cause });
  }
  const refusal = isOpening ? await refusalOf() : undefined;
  if ((refusal?.code ?? Number(code)) === notAllowed) {
    // Only the broker's text distinguishes the reasons, so that a person reads it and nothing is decided by it.
    const reason = escapeInLine(
      refusal?.text || 'it is missing, not open to the user, or has no connection left',
    );
    return new WarrenError('ERR_BROKER_REFUSED', `${broker} refused the virtual host: ${reason}`, { cause });
  }
  if (!isOpening) return new UnavailableError('broker', `${broker} can't be reached`, { cause });
  const now = refusal ? ` (${refusal.code})` : '';
  return new UnavailableError('broker', `${broker} can't open the virtual host now${now}`, { cause });
}

/** Whether the broker refused user, password or virtual host. */
export function isRefusal(error: unknown): error is WarrenError {
  return error instanceof WarrenError && error.code === 'ERR_BROKER_REFUSED';
}
