import type { FastifyInstance } from 'fastify';
import { summaryOf } from '../dead-letters/failure.ts';
import type { LetterIndex } from '../dead-letters/letter-index.ts';
import type { End } from '../dead-letters/read-marks.ts';
import type { GoneLetters, LetterEnd } from './api-types.ts';
import { isoOf, listedOf } from './letter-summary.ts';
import { checked, goneQuery } from './query.ts';

/** Adds the route of the dead letters that are gone. Each page reads them from the index at the broker. */
export function addGoneRoutes(app: FastifyInstance, index: LetterIndex): void {
  app.get('/api/gone', async ({ query }): Promise<GoneLetters> => {
    const { before, limit } = checked(goneQuery, query);
    const page = index.gone.page(limit, before);
    const read = await index.read(page);
    const entries = new Map(read.map((entry) => [entry.offset, entry]));
    // A mark may name a gap of the index, and the broker forgets entries.
    const letters = page.flatMap(({ offset, end }) => {
      const entry = entries.get(offset);
      return entry ? [{ ...listedOf(summaryOf(offset, entry.letter)), end: endOf(end) }] : [];
    });
    const next = page.length === limit ? page.at(-1)?.position : undefined;
    return { letters, next: next || null };
  });
}

/** Returns how a dead letter went, for the API. */
export const endOf = ({ ending, at, to, by }: End): LetterEnd => ({
  ending: ending ?? null,
  at: isoOf(at),
  to: to ?? null,
  by: by ?? null,
});
