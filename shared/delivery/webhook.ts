import { RetryLaterError, UnavailableError } from 'warren/functions';
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
  /** The variable that contains the URL, for errors. */
  setting: string;
  /** Time limit in milliseconds, default 5000. */
  timeoutMs?: number | undefined;
  /** Ends the call, regardless of the time limit. */
  signal?: AbortSignal | undefined;
}

/**
 * Answers about the content of a call: it is malformed, too large or contradicts what the webhook has stored. Any other refusal
 * is about our URL, our credentials or the webhook's state, and would be the same for every call.
 */
const contentStatuses: ReadonlySet<number> = new Set([400, 406, 409, 413, 415, 422, 431]);
/** Answers of a webhook that has no time now, or limits us. */
const laterStatuses: ReadonlySet<number> = new Set([408, 421, 423, 425, 429]);
/** Answers that ask for other credentials. */
const loginStatuses: ReadonlySet<number> = new Set([401, 402, 403, 407, 511]);

/**
 * Calls a webhook with JSON in a POST. It does not follow redirects, because their target is not trusted.
 *
 * @param refusal creates the error for a webhook that refuses the content of the call, from a sentence.
 * @throws UnavailableError if the webhook is unavailable, late, overloaded, or refuses our credentials or our URL, whose setting
 *   it names; its cause is a RetryLaterError if the webhook asks for a pause by `Retry-After`. The error of `refusal` for an answer
 *   about the content.
 */
export async function callWebhook(call: WebhookCall, refusal: (reason: string) => Error): Promise<void> {
  const { dependency, what, setting, timeoutMs = 5000, signal } = call;
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
  if (ok) return;
  const answered = `${what} answered ${status}`;
  if (contentStatuses.has(status)) throw refusal(answered);
  const pause = pauseIn(response.headers.get('retry-after'));
  const cause = pause === undefined ? undefined : new RetryLaterError(pause, `${what} asked for ${pause} s`);
  throw new UnavailableError(dependency, `${answered}${adviceFor(status, setting)}`, { cause });
}

/** Seconds; a longer pause is this one, so that a wrong header does not silence a channel for hours. */
const maxPause = 600;

/**
 * The seconds in a `Retry-After` (RFC 9110, 10.2.3): their number or the time of its end.
 *
 * @returns at most `maxPause`; undefined without the header, and if it is invalid or its time has passed.
 */
function pauseIn(header: string | null): number | undefined {
  if (header === null) return undefined;
  // One of the three forms of a date has no time zone, and means GMT.
  const end = new Date(/GMT$/i.test(header) ? header : `${header} GMT`);
  const seconds = /^\d+$/.test(header) ? Number(header) : Math.ceil((end.getTime() - Date.now()) / 1000);
  return seconds > 0 ? Math.min(seconds, maxPause) : undefined;
}

/** Which setting an operator has to check, because waiting does not help. */
function adviceFor(status: number, setting: string): string {
  if (loginStatuses.has(status)) return `: check the credentials in ${setting}`;
  if (status >= 500 || laterStatuses.has(status)) return '';
  return `: check the URL in ${setting}`;
}
