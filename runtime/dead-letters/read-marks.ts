import type { Message } from 'amqplib';
import type { BrokerConnection } from '../amqp/connection.ts';
import { headerText } from '../amqp/header-text.ts';
import { endedByHeader, endedToHeader } from '../amqp/headers.ts';
import { parseJson } from '../base/json.ts';
import { deadLetterMarks } from '../topology/names.ts';
import { type OffsetRange, Offsets } from './offsets.ts';
import { readStream } from './read-stream.ts';

/** What an operator did with a dead letter that is gone. */
export type Ending = 'replayed' | 'dropped';

/** What is done with the dead letters that an action removes. */
export interface Ended {
  ending: Ending;
  /** Queue for all of a replay; undefined for those in which they failed. */
  to?: string | undefined;
  /** User of the board. */
  by?: string | undefined;
}

/** How a dead letter went, as far as it is known. */
export interface End extends Pick<Ended, 'to' | 'by'> {
  ending?: Ending | undefined;
  /** When it was marked, in milliseconds since 1970. */
  at?: number | undefined;
}

/** Reads the offsets of the entries whose dead letters are gone. */
export async function readMarks(connection: BrokerConnection): Promise<Offsets> {
  const gone = new Offsets();
  for await (const { message } of readStream(connection, deadLetterMarks)) {
    for (const [first, last] of rangesOf(message)) gone.add(first, last);
  }
  return gone;
}

/** Returns the offsets in a message of the stream of marks. */
export function rangesOf({ content }: Message): OffsetRange[] {
  return parseJson(content.toString()) as OffsetRange[];
}

/** Returns how the dead letters of a mark went, as far as it is known. */
export function endOf(message: Message): End {
  const { timestamp, headers } = message.properties as {
    timestamp?: number;
    headers?: Record<string, unknown>;
  };
  return {
    ending: endingOf(message),
    at: timestamp === undefined ? undefined : timestamp * 1000,
    to: headerText(headers?.[endedToHeader]),
    by: headerText(headers?.[endedByHeader]),
  };
}

/** @returns undefined in a mark of an earlier version, and if the dead letters were only found to be gone. */
function endingOf({ properties }: Message): Ending | undefined {
  const type: unknown = properties.type;
  return type === 'replayed' || type === 'dropped' ? type : undefined;
}
