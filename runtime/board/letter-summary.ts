import type { EntrySummary } from '../dead-letters/entry-summary.ts';
import type { LetterSummary } from './api-types.ts';

/** A time in ISO 8601; null for one that is unknown. */
export const isoOf = (ms: number | undefined): string | null =>
  ms === undefined ? null : new Date(ms).toISOString();

/** Returns a dead letter of a list, for the API. */
export const listedOf = ({ failure, failedAt, ...entry }: EntrySummary): LetterSummary => ({
  ...entry,
  ...failure,
  failed_at: isoOf(failedAt),
});
