import { resource, type SettingsValues, urlField } from 'warren/functions';
import * as z from 'zod';
import { callWebhook } from './webhook.ts';

/** Settings for text messages. */
export const textsSettings = () =>
  z.object({
    TEXTS_WEBHOOK_URL: urlField(['http:', 'https:'], 'https://texts.example.com/send')
      .optional()
      .describe('receives text messages, as JSON in a POST request; without it, none are sent'),
  });

export interface Text {
  /** A phone number in E.164 format. */
  to: string;
  text: string;
  /** The same for each attempt to send the same message. */
  key: string;
}

/** Sends text messages. */
export interface TextsLike {
  /**
   * Sends a text message.
   *
   * @param signal ends the attempt.
   * @throws UnavailableError if the service is unavailable, late, or answers "later"; Error if it refuses this message.
   */
  send(text: Text, signal?: AbortSignal): Promise<void>;
}

/**
 * Creates a sender that posts `{"to", "text"}` to the webhook of any service, with the header Idempotency-Key, by which the
 * service can recognize a repeated message.
 *
 * @param timeoutMs time limit of one message in milliseconds, default 5000.
 * @returns undefined if no webhook is configured: then no text messages are sent.
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
    setting: 'TEXTS_WEBHOOK_URL',
    timeoutMs,
  };
  return {
    async send({ key, ...body }, signal) {
      await callWebhook({ ...webhook, body, key, signal }, (reason) => new Error(reason));
    },
  };
}

/** Sends text messages through the configured webhook; undefined without one. */
export const texts = resource(textsSettings, (settings) => createTexts(settings));
