import type { Config } from './config.ts';
import { UnavailableError } from './errors.ts';

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
   * @throws UnavailableError where who sends them is away, late, or says "later"; Error where it refuses this one.
   */
  send(text: Text): Promise<void>;
}

/**
 * Sends text messages through a webhook, any service's: `{"to", "text"}` in a POST, with the header Idempotency-Key, by which
 * a service can tell a message that it has got already.
 *
 * @param timeoutMs how long one may take in milliseconds, default 5000.
 * @returns undefined where no webhook is configured: then nobody gets any.
 */
export function createTexts(
  { TEXTS_WEBHOOK_URL }: Config<'texts'>['texts'],
  timeoutMs = 5000,
): TextsLike | undefined {
  if (TEXTS_WEBHOOK_URL === undefined) return undefined;
  return {
    async send({ key, ...body }) {
      const response = await fetch(TEXTS_WEBHOOK_URL, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': key },
        body: JSON.stringify(body),
        // Whoever redirects us may be anybody.
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
      }).catch((cause: unknown) => {
        throw new UnavailableError('texts', 'the webhook for text messages does not answer', { cause });
      });
      await response.body?.cancel();
      const { ok, status } = response;
      if (status >= 500 || status === 429 || status === 408) {
        throw new UnavailableError('texts', `the webhook for text messages answered ${status}`);
      }
      if (!ok) throw new Error(`the webhook for text messages answered ${status}`);
    },
  };
}
