import type { Socket } from 'node:net';
import type { ChannelModel } from 'amqplib';

/** Limit for the broker's answer to a close, in milliseconds. */
export const closeMs = 2000;

/** Resolves when the socket of a connection has closed. */
export function socketClosed(model: ChannelModel): Promise<void> {
  return new Promise((resolve) => socketOf(model)?.once('close', resolve));
}

/**
 * Destroys the socket of a dead connection. Without an error, amqplib would detect the end only by missing heartbeats, and its
 * pending requests would wait for that.
 */
export function destroySocket(model: ChannelModel): void {
  socketOf(model)?.destroy(new Error('the connection was discarded'));
}

/** amqplib's public types hide the socket. */
function socketOf(model: ChannelModel): Socket | undefined {
  return (model.connection as unknown as { stream?: Socket }).stream;
}
