import type { Channel } from 'amqplib';

/**
 * Makes a channel's `close` fail if its connection ends before the broker has answered. amqplib waits for that answer forever then.
 */
export function failCloseIfCut(channel: Channel): void {
  const close = channel.close.bind(channel);
  channel.close = () =>
    new Promise((resolve, reject) => {
      const cut = () => reject(new Error('the connection ended before the channel had closed'));
      // One turn later: the event comes after the broker's answer too, but before the result of that.
      channel.once('close', () => setImmediate(cut));
      close().then(resolve, reject);
    });
}
