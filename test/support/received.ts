import type { ReceivedMessage } from '../../runtime/messages/received.ts';

/** A received message for a test; only the given fields differ from a first delivery with the body `1`. */
export const received = (given: Partial<ReceivedMessage> = {}): ReceivedMessage => ({
  queue: 'q',
  vhost: '/',
  content: Buffer.from('1'),
  headers: {},
  redelivered: false,
  attempt: 1,
  ...given,
});

/** The message that arrives when a copy returns: its headers, and one attempt more. */
export const returned = ({ headers = {} }: { headers?: Record<string, unknown> | undefined }) =>
  received({ headers, attempt: Number(headers['x-warren-attempts']) + 1 });
