import { randomUUID } from 'node:crypto';
import type { Message } from 'amqplib';
import { type RawField, rawField } from '../amqp/field-table.ts';
import { fittingTable } from '../amqp/fitting-table.ts';
import { originExchangeHeader, originRoutingKeyHeader, replacesHeader } from '../amqp/headers.ts';
import { copiedProperties } from '../amqp/properties.ts';
import { Publisher } from '../amqp/publisher.ts';
import { RejectedError, UnroutableError } from '../base/errors.ts';
import { stringifyJson } from '../base/json.ts';
import { type DeadLetter, unroutable } from './dead-letter.ts';
import { isOfMessage, patienceMs, replayFields } from './put-back.ts';
import { type Taking, takeEach } from './take.ts';

/** What an operator changes of a dead letter. */
export interface Edit {
  body: Buffer;
  /** Default that of the dead letter. */
  contentType?: string | undefined;
  /** In place of its own headers, default those. One with the same value keeps its type. */
  headers?: Readonly<Record<string, unknown>> | undefined;
  /** Default the queue in which it failed. */
  to?: string | undefined;
}

/** The new message, or why there is none: the dead letter is gone, or the new message has no queue. */
export type Edited = { messageId: string; replaces: string } | 'gone' | 'no-queue';

/** A header that is not as it was has a type that an edit cannot express. */
export class EditedHeaderError extends RejectedError {
  override name = 'EditedHeaderError';
}

/**
 * Replaces a dead letter by a new message with another id, whose header `x-warren-replaces` names the old one. The new one is
 * confirmed before the dead letter leaves its queue: a crash loses none, and at most both exist.
 *
 * @param offset of its entry in the index.
 * @param options `by` is the user of the board; `source` another queue of dead letters, with its index.
 * @throws EditedHeaderError if a changed header is neither text nor a whole number; as `takeEach` and `Publisher.publish`.
 */
export async function replayEdited(
  url: string,
  offset: number,
  edit: Edit,
  { by, source }: { by?: string | undefined; source?: Taking['source'] } = {},
): Promise<Edited> {
  const publisher = new Publisher({ url, name: 'warren dead-letters edit', tries: 1 });
  let edited: Edited = 'gone';
  try {
    await takeEach(
      url,
      {
        filter: {},
        only: new Set([offset]),
        limit: 1,
        ended: { ending: 'replayed', to: edit.to, by },
        source,
      },
      async (message, letter) => {
        edited = await publishEdited(publisher, message, letter, edit);
        return edited === 'no-queue' ? 'keep' : 'remove';
      },
    );
  } finally {
    await publisher.close();
  }
  return edited;
}

async function publishEdited(
  publisher: Publisher,
  { properties }: Message,
  letter: DeadLetter,
  { body, contentType, headers, to = letter.queue }: Edit,
): Promise<Edited> {
  const fields = editedFields(replayFields(properties, letter), letter, headers);
  const again = letter.reason === unroutable && to === letter.queue;
  try {
    const { messageId } = await publisher.publish({
      ...copiedProperties(properties),
      messageId: randomUUID(),
      contentType: contentType ?? properties.contentType,
      exchange: again ? (letter.exchange ?? '') : '',
      routingKey: to,
      body,
      table: fittingTable([...fields, rawField(replacesHeader, letter.id)]),
      patienceMs,
    });
    return { messageId, replaces: letter.id };
  } catch (error) {
    if (error instanceof UnroutableError) return 'no-queue';
    throw error;
  }
}

function editedFields(
  all: readonly RawField[],
  letter: DeadLetter,
  headers: Readonly<Record<string, unknown>> | undefined,
): RawField[] {
  const fields = all.filter(({ name }) => name !== replacesHeader);
  if (headers === undefined) return fields;
  const origin = fields.filter(
    ({ name }) => name === originExchangeHeader || name === originRoutingKeyHeader,
  );
  const own = Object.entries(headers).filter(([name]) => isOfMessage(name) && name !== replacesHeader);
  const edited = own.map(([name, value]) => {
    const same = stringifyJson(value) === stringifyJson(letter.headers[name]);
    const before = same && fields.find((each) => each.name === name);
    if (before) return before;
    if (typeof value === 'string' || Number.isSafeInteger(value))
      return rawField(name, value as string | number);
    throw new EditedHeaderError(`headers.${name}: expected text or a whole number, got ${typeof value}`);
  });
  return [...edited, ...origin];
}
