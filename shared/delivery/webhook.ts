import { UnavailableError } from 'warren/functions';

export interface WebhookCall {
  /** Often a password in itself: no error and no log names it. */
  url: string;
  /** Goes out as JSON. */
  body: unknown;
  /** The same for every try to send the same, in the header Idempotency-Key. */
  key: string;
  /** For errors: the dependency that is away, and what to call it in a sentence. */
  dependency: string;
  what: string;
  /** How long it may take in milliseconds, default 5000. */
  timeoutMs?: number | undefined;
  /** When to give up, whatever that says. */
  signal?: AbortSignal | undefined;
}

/**
 * Calls a webhook: JSON in a POST. A redirect isn't followed: whoever redirects us may be anybody.
 *
 * @throws UnavailableError where it is away or late or says "later" (408, 429, 5xx); what `refusal` makes of a sentence for
 *   people, for any other answer but 2xx.
 */
export async function callWebhook(call: WebhookCall, refusal: (reason: string) => Error): Promise<void> {
  const { dependency, what, timeoutMs = 5000, signal } = call;
  const response = await fetch(call.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': call.key },
    body: JSON.stringify(call.body),
    redirect: 'manual',
    signal: AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(signal ? [signal] : [])]),
  }).catch((cause: unknown) => {
    throw new UnavailableError(dependency, `${what} does not answer`, { cause });
  });
  // All is said; a connection that breaks off now changes nothing.
  await response.body?.cancel().catch(() => undefined);
  const { ok, status } = response;
  if (status >= 500 || status === 429 || status === 408) {
    throw new UnavailableError(dependency, `${what} answered ${status}`);
  }
  if (!ok) throw refusal(`${what} answered ${status}`);
}
