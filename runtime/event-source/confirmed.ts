import { anySignal } from '../base/any-signal.ts';
import { pause } from './backoff.ts';

/**
 * Waits for a confirm, at most until some time after a signal was aborted.
 *
 * @param graceMs milliseconds after the abort.
 * @returns whether it was confirmed; it still may be after false.
 * @throws as the confirm.
 */
export async function confirmedUntil(
  confirm: Promise<unknown>,
  ended: AbortSignal,
  graceMs: number,
): Promise<boolean> {
  const over = new AbortController();
  const confirmed = confirm.then(() => true);
  const grace = async () => {
    await aborted(anySignal(ended, over.signal));
    await pause(graceMs, over.signal);
    return false;
  };
  try {
    return await Promise.race([confirmed, grace()]);
  } finally {
    over.abort();
    // It may still fail when no caller waits for it.
    confirmed.catch(() => undefined);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
