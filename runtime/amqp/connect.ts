import { type connect as amqpConnect, type ChannelModel, credentials, type Options } from 'amqplib';
import { UnavailableError, WarrenError } from '../base/errors.ts';
import type { BrokerAddress } from './address.ts';
import { keepRawHeaders } from './raw-headers.ts';
import { readTls } from './tls-files.ts';
import { tolerateUnreadable } from './unreadable.ts';

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

/**
 * Connects to one address.
 *
 * @throws WarrenError ERR_BROKER_REFUSED if user, password or vhost are wrong, ERR_CONFIG if a file for TLS is invalid;
 *   UnavailableError if the broker is unavailable.
 */
export async function connectTo(
  address: BrokerAddress,
  { name, heartbeat, connectTimeoutMs, connect }: Required<ConnectOptions>,
): Promise<ChannelModel> {
  try {
    const model = await connect(target(address, heartbeat), {
      noDelay: true,
      keepAlive: true,
      timeout: address.parameters.connectionTimeout ?? connectTimeoutMs,
      credentials: credentialsOf(address),
      ...(address.secure && (await readTls(address.parameters))),
      clientProperties: { connection_name: name },
    });
    tolerateUnreadable(model);
    keepRawHeaders(model);
    return model;
  } catch (cause) {
    throw cause instanceof WarrenError ? cause : connectError(cause, address.label);
  }
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

function credentialsOf({
  username,
  password,
  parameters,
}: BrokerAddress): ReturnType<typeof credentials.external> {
  if (parameters.authMechanism === 'external') return credentials.external();
  return credentials[parameters.authMechanism ?? 'plain'](username, password);
}

function optional<Name extends string, T>(name: Name, value: T | undefined): { [N in Name]?: T } {
  return value === undefined ? {} : ({ [name]: value } as { [N in Name]?: T });
}

/**
 * Translates amqplib's error for a failed connect.
 *
 * @returns WarrenError ERR_BROKER_REFUSED if the broker refused user, password or virtual host; otherwise UnavailableError.
 */
function connectError(cause: unknown, label: string): WarrenError {
  // amqplib reports the broker's answer to the handshake (AMQP 0-9-1, 1.2) only in this text: with the reply code during the
  // login, and later, when the virtual host is opened, without it.
  const text = cause instanceof Error ? cause.message : '';
  const code = /Handshake terminated by server: (\d{3})/.exec(text)?.[1];
  const vhostRefused = /^Expected ConnectionOpenOk; got <ConnectionClose\b/.test(text);
  const broker = `the broker at ${label}`;
  if (code === '403') {
    return new WarrenError('ERR_BROKER_REFUSED', `${broker} refused the user or password`, { cause });
  }
  if (vhostRefused || code === '530' || code === '402') {
    return new WarrenError('ERR_BROKER_REFUSED', `${broker} refused the virtual host`, { cause });
  }
  return new UnavailableError('broker', `${broker} can't be reached`, { cause });
}

/** Whether the broker refused user, password or virtual host. */
export function isRefusal(error: unknown): error is WarrenError {
  return error instanceof WarrenError && error.code === 'ERR_BROKER_REFUSED';
}
