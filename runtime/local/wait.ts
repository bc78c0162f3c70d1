import { setTimeout as pause } from 'node:timers/promises';
import type { StackChild } from './process.ts';
import { StackError } from './stack-error.ts';

/**
 * Waits until something answers.
 *
 * @param what name to show to the user, such as "RabbitMQ".
 * @param check resolves with true when it does; an error counts as "not yet".
 * @param options `timeoutMs` default 60000; `child` is the program that is waited for: when it ends, so does the wait;
 *   `signal` calls it off; `hint` names a log file.
 * @throws StackError when it ended or took too long; what `signal` was aborted with.
 */
export async function waitUntil(
  what: string,
  check: () => Promise<boolean>,
  options: { signal: AbortSignal; child?: StackChild; timeoutMs?: number; hint: string },
): Promise<void> {
  const { signal, child, timeoutMs = 60_000, hint } = options;
  const deadline = Date.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    signal.throwIfAborted();
    const end = child?.ended();
    if (end !== undefined) throw new StackError(`${what} ended while starting (${end}); ${hint}`);
    try {
      if (await check()) return;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) {
      throw new StackError(`${what} did not answer within ${timeoutMs / 1000} s; ${hint}`, { cause: last });
    }
    await pause(100);
  }
}

/** Whether an HTTP address answers with a success. */
export async function answers(url: string, headers: Record<string, string> = {}): Promise<boolean> {
  const response = await fetch(url, { headers, signal: AbortSignal.timeout(2000) });
  await response.body?.cancel();
  return response.ok;
}
