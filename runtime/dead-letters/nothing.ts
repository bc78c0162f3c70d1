import type { Message } from 'amqplib';
import type { BrokerConnection } from '../amqp/connection.ts';
import { hasReplyCode } from '../amqp/reply-code.ts';
import { deadLetterLog, deadLetterMarks } from '../topology/names.ts';
import { fingerprintHeader } from './fingerprint.ts';
import { answered } from './stream.ts';

/** In a message of the index that has no content. */
const nothingHeader = 'x-warren-nothing';

const ownStreams: ReadonlySet<string> = new Set([deadLetterLog, deadLetterMarks]);

/** Whether a message of a stream was published by `publishNothing`. The headers of an entry are those of a dead letter. */
export function isNothing(stream: string, { properties }: Message): boolean {
  const headers: Record<string, unknown> = properties.headers ?? {};
  return (
    ownStreams.has(stream) && headers[nothingHeader] === true && headers[fingerprintHeader] === undefined
  );
}

/**
 * Publishes a message without content to a stream of the index, so that the stream is not empty: a consumer of an empty stream
 * gets no message, as one of a slow broker.
 *
 * @returns false for another client's stream, and if the login may not publish.
 * @throws UnavailableError if the broker does not confirm it.
 */
export async function publishNothing(connection: BrokerConnection, stream: string): Promise<boolean> {
  if (!ownStreams.has(stream)) return false;
  const channel = await connection.confirmChannel();
  let refusal: unknown;
  channel.once('error', (error: unknown) => {
    refusal = error;
  });
  // A mark of no offsets. An earlier version reads marks without that header as well.
  channel.sendToQueue(stream, Buffer.from('[]'), { persistent: true, headers: { [nothingHeader]: true } });
  try {
    await answered(() => channel.waitForConfirms());
  } catch (error) {
    if (hasReplyCode(refusal, 403)) return false;
    throw error;
  }
  await channel.close();
  return true;
}
