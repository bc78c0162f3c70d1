import { resource, type SettingsValues, urlField } from 'warren/functions';
import { z } from 'zod';
import { callWebhook } from './webhook.ts';

/** How text messages are sent. */
export const textsSettings = () =>
  z.object({
    TEXTS_WEBHOOK_URL: urlField(['http:', 'https:'], 'https://texts.example.com/send')
      .optional()
      .describe('receives text messages, as JSON in a POST request; without it, none are sent'),
  });

export interface Text {
  /** A phone number, as E.164 has it. */
  to: string;
  text: string;
  /** The same for every try to send the same one. */
  key: string;
}

/** What modules that send text messages ask for. */
export interface TextsLike {
  /**
   * Sends a text message.
   *
   * @param signal when to give up.
   * @throws UnavailableError where who sends them is away, late, or says "later"; Error where it refuses this one.
   */
  send(text: Text, signal?: AbortSignal): Promise<void>;
}

/**
 * Sends text messages through a webhook, any service's: `{"to", "text"}` in a POST, with the header Idempotency-Key, by which
 * a service can tell a message that it has got already.
 *
 * @param timeoutMs how long one may take in milliseconds, default 5000.
 * @returns undefined where no webhook is configured: then nobody gets any.
 */
export function createTexts(
  { TEXTS_WEBHOOK_URL }: SettingsValues<typeof textsSettings>,
  timeoutMs = 5000,
): TextsLike | undefined {
  if (TEXTS_WEBHOOK_URL === undefined) return undefined;
  const webhook = {
    url: TEXTS_WEBHOOK_URL,
    dependency: 'texts',
    what: 'the webhook for text messages',
    timeoutMs,
  };
  return {
    async send({ key, ...body }, signal) {
      await callWebhook({ ...webhook, body, key, signal }, (reason) => new Error(reason));
    },
  };
}

/** Sends text messages through the webhook that the settings name; undefined without one. */
export const texts = resource(textsSettings, (settings) => createTexts(settings));
