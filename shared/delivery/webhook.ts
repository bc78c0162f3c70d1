import { UnavailableError } from 'warren/functions';
import { headerKey } from './header-text.ts';

export interface WebhookCall {
  /** Often a secret in itself, so no error and no log contains it. */
  url: string;
  /** Sent as JSON. */
  body: unknown;
  /** Sent in the header Idempotency-Key, or its hash if a header cannot contain it; the same for each attempt. */
  key: string;
  /** For errors: the name of the dependency, and how a sentence refers to it. */
  dependency: string;
  what: string;
  /** Time limit in milliseconds, default 5000. */
  timeoutMs?: number | undefined;
  /** Ends the call, regardless of the time limit. */
  signal?: AbortSignal | undefined;
}

/**
 * Answers that are not about this call: the webhook refuses our credentials, has no time, or limits us. The credentials can be
 * corrected, and the call would then succeed.
 */
const laterStatuses: ReadonlySet<number> = new Set([401, 403, 408, 425, 429]);

/**
 * Calls a webhook with JSON in a POST. It does not follow redirects, because their target is not trusted.
 *
 * @param refusal creates the error for a webhook that refuses the call, from a sentence.
 * @throws UnavailableError if the webhook is unavailable, late, or answers 401, 403, 408, 425, 429 or 5xx; the error of
 *   `refusal` for any other response except 2xx.
 */
export async function callWebhook(call: WebhookCall, refusal: (reason: string) => Error): Promise<void> {
  const { dependency, what, timeoutMs = 5000, signal } = call;
  const response = await fetch(call.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': headerKey(call.key) },
    body: JSON.stringify(call.body),
    redirect: 'manual',
    signal: AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(signal ? [signal] : [])]),
  }).catch((cause: unknown) => {
    throw new UnavailableError(dependency, `${what} does not answer`, { cause });
  });
  // The status is known, so a connection that fails now changes nothing.
  await response.body?.cancel().catch(() => undefined);
  const { ok, status } = response;
  if (status >= 500 || laterStatuses.has(status)) {
    throw new UnavailableError(dependency, `${what} answered ${status}`);
  }
  if (!ok) throw refusal(`${what} answered ${status}`);
}
