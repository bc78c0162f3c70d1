import { WarrenError } from '../../base/errors.ts';
import { indexOlderDeadLetters } from '../../dead-letters/reindex.ts';
import type { DeclaredIndex } from '../../topology/dead-letter-index.ts';
import { reporter, reportFailed, warn } from './reports.ts';

/** Adds the dead letters that are older than a new index, and reports what is missing in it and why. */
export async function completeIndex(url: string, index: DeclaredIndex | undefined): Promise<void> {
  if (index?.refusal !== undefined) {
    warn(
      `the broker refuses the index of the dead letters, so they are read from their queue: ${index.refusal}`,
    );
  }
  try {
    const older = await indexOlderDeadLetters(url, index, reporter());
    if (older && older.added > 0) console.error(`added ${older.added} older dead letters to their index`);
    if (older) reportFailed(older.failed);
  } catch (error) {
    if (!(error instanceof WarrenError) || error.code !== 'ERR_BROKER_REFUSED') throw error;
    warn(`older dead letters are not in the index: run warren dead-letters reindex (${error.message})`);
  }
}
