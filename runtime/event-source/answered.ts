import type { Channel } from 'amqplib';
import type { BrokerConnection } from '../amqp/connection.ts';
import { withDeadline } from '../base/deadline.ts';
import { UnavailableError } from '../base/errors.ts';

export interface AnswerOptions {
  connection: Pick<BrokerConnection, 'discard'>;
  channel: Channel;
  /** Milliseconds that the broker may take. */
  ms: number;
  /** Ends the wait when it is aborted. */
  signal: AbortSignal;
}

/**
 * Waits for an answer of the broker. A broker that is starting may never send it, because its queue was not ready.
 *
 * @throws UnavailableError if it does not come in time; the connection is then discarded, and what waits on it ends as well.
 */
export function answered<T>(
  answer: Promise<T>,
  { connection, channel, ms, signal }: AnswerOptions,
): Promise<T> {
  const late = () => {
    connection.discard(channel);
    return new UnavailableError('broker', `no answer from the broker within ${ms} ms`);
  };
  return withDeadline(answer, { ms, late, signal });
}
