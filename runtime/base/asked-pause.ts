import type { ErrorCode } from './error-codes.ts';

/**
 * The seconds that an error or one of its causes asks for: those of a RetryLaterError, which is recognized by its code, because a
 * bundle has classes of its own.
 *
 * @returns undefined if none of them does.
 */
export function askedSeconds(error: unknown): number | undefined {
  // Causes can be a circle.
  const seen = new Set<unknown>();
  for (let each = error; each instanceof Error && !seen.has(each); each = each.cause) {
    seen.add(each);
    const { code, seconds } = each as { code?: unknown; seconds?: unknown };
    if (code === ('ERR_RETRY_LATER' satisfies ErrorCode) && typeof seconds === 'number') return seconds;
  }
  return undefined;
}
