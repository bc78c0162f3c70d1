import type { connect as amqpConnect, ChannelModel } from 'amqplib';
import { UnavailableError, WarrenError } from '../base/errors.ts';
import { keepRawHeaders } from './raw-headers.ts';
import { readTlsFiles } from './tls-files.ts';
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
 * Connects to one URL.
 *
 * @throws WarrenError ERR_BROKER_REFUSED if user, password or vhost are wrong, ERR_CONFIG if the URL or a file for TLS is invalid;
 *   UnavailableError if the broker is unavailable.
 */
export async function connectTo(
  address: string,
  { name, heartbeat, connectTimeoutMs, connect }: Required<ConnectOptions>,
): Promise<ChannelModel> {
  if (!URL.canParse(address)) {
    // The text may contain a password.
    throw new WarrenError('ERR_CONFIG', 'url: expected an AMQP URL, got text that is not a URL');
  }
  const url = new URL(address);
  if (!url.searchParams.has('heartbeat')) url.searchParams.set('heartbeat', String(heartbeat));
  try {
    const model = await connect(url.href, {
      noDelay: true,
      keepAlive: true,
      timeout: connectTimeoutMs,
      ...(await readTlsFiles(url)),
      clientProperties: { connection_name: name },
    });
    tolerateUnreadable(model);
    keepRawHeaders(model);
    return model;
  } catch (cause) {
    throw cause instanceof WarrenError ? cause : connectError(cause, url);
  }
}

/**
 * Translates amqplib's error for a failed connect.
 *
 * @returns WarrenError ERR_BROKER_REFUSED if the broker refused user, password or virtual host; otherwise UnavailableError.
 */
function connectError(cause: unknown, url: URL): WarrenError {
  // amqplib reports the broker's answer to the handshake (AMQP 0-9-1, 1.2) only in this text: with the reply code during the
  // login, and later, when the virtual host is opened, without it.
  const text = cause instanceof Error ? cause.message : '';
  const code = /Handshake terminated by server: (\d{3})/.exec(text)?.[1];
  const vhostRefused = /^Expected ConnectionOpenOk; got <ConnectionClose\b/.test(text);
  const broker = `the broker at ${url.host}${url.pathname}`;
  if (code === '403') {
    return new WarrenError('ERR_BROKER_REFUSED', `${broker} refused the user or password`, { cause });
  }
  if (vhostRefused || code === '530' || code === '402') {
    return new WarrenError('ERR_BROKER_REFUSED', `${broker} refused the virtual host`, { cause });
  }
  return new UnavailableError('broker', `${broker} can't be reached`, { cause });
}
