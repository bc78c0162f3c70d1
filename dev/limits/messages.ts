import type { ConfirmChannel } from 'amqplib';
import type { Chance } from '../faults/seed.ts';
import { exchange } from './project.ts';

/** A message of the course. */
export interface Text {
  n: number;
  /** Milliseconds of its work. */
  ms: number;
  /** Deliveries that fail. */
  failures: number;
}

/** A message of a queue with limits for each key. */
export interface KeyedText extends Text {
  tenant: string;
}

/**
 * Messages in the order of the seed.
 *
 * @param faulty one message of so many fails at first.
 */
export const makeTexts = (chance: Chance, messages: number, faulty: number): Text[] =>
  Array.from({ length: messages }, (_, n) => {
    return { n, ms: chance.between(0, 200), failures: chance.between(1, faulty) === 1 ? 1 : 0 };
  });

/** Publishes messages, and waits until the broker has them. */
export async function publishTexts(
  channel: ConfirmChannel,
  texts: readonly (Text | KeyedText)[],
): Promise<void> {
  for (const text of texts) {
    const messageId = `text ${text.n}`;
    const headers = 'tenant' in text ? { tenant: text.tenant } : {};
    const options = {
      persistent: true,
      mandatory: true,
      contentType: 'application/json',
      messageId,
      headers,
    };
    channel.publish(exchange, 'text.new', Buffer.from(JSON.stringify(text)), options);
  }
  await channel.waitForConfirms();
}
