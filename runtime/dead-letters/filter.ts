import type { Message } from 'amqplib';
import type { DeadLetter } from './dead-letter.ts';

/** Selects dead letters; all of them without any field. */
export interface DeadLetterFilter {
  id?: string | readonly string[] | undefined;
  queue?: string | undefined;
  reason?: string | undefined;
  /** A part of the error's first line. */
  error?: string | undefined;
}

/** The first line of an error, by which dead letters are grouped. */
export function firstLineOf(error: string | undefined): string | undefined {
  return error?.split('\n', 1)[0];
}

/** Returns a function that selects dead letters of one pass. */
export function matcher({ id, queue, reason, error }: DeadLetterFilter) {
  const ids = id === undefined ? undefined : new Set(typeof id === 'string' ? [id] : id);
  const seen = new Set<string>();
  return ({ properties }: Message, letter: DeadLetter): boolean => {
    if (queue !== undefined && letter.queue !== queue) return false;
    if (reason !== undefined && letter.reason !== reason) return false;
    if (error !== undefined && !firstLineOf(letter.error)?.includes(error)) return false;
    if (ids === undefined) return true;
    if (!ids.has(letter.id)) return false;
    // Without a message id, dead letters that are equal in every detail share an id, which then selects one of them.
    if (properties.messageId !== undefined) return true;
    const first = !seen.has(letter.id);
    seen.add(letter.id);
    return first;
  };
}
