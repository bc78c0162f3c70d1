import type { ConfirmChannel } from 'amqplib';
import { deadExchange } from '../../runtime/topology/names.ts';

export interface GivenDeadLetter {
  queue?: string;
  id?: string;
  reason?: string;
  error?: string;
  at?: string;
  body?: string;
  headers?: Record<string, unknown>;
}

/** Publishes a dead letter as `onMessages` does. */
export function publishDead(
  channel: Pick<ConfirmChannel, 'publish'>,
  {
    queue = 'shop',
    id,
    reason = 'rejected',
    error = 'Error: no',
    at,
    body = '{"a":1}',
    ...rest
  }: GivenDeadLetter,
): void {
  const headers = {
    'x-warren-queue': queue,
    'x-warren-reason': reason,
    'x-warren-attempts': 3,
    'x-warren-error': error,
    'x-warren-last-failed-at': at ?? '2026-01-01T00:00:00.000Z',
    ...rest.headers,
  };
  const properties = { headers, persistent: true, ...(id !== undefined && { messageId: id }) };
  channel.publish(deadExchange, queue, Buffer.from(body), properties);
}

/** Publishes dead letters and waits for their confirms, 2,000 at a time. */
export async function publishAllDead(
  channel: ConfirmChannel,
  given: Iterable<GivenDeadLetter>,
): Promise<void> {
  let open = 0;
  for (const each of given) {
    publishDead(channel, each);
    open += 1;
    if (open % 2000 === 0) await channel.waitForConfirms();
  }
  await channel.waitForConfirms();
}
