import type { FastifyInstance } from 'fastify';
import type { EntryFilter, EntryGroup, EntryRange, EntrySummary } from '../dead-letters/entry-summary.ts';
import type { LetterIndex } from '../dead-letters/letter-index.ts';
import { Problem } from '../http/problem.ts';
import type { IndexFollower } from './follow.ts';
import { checked, entryFilter, groupsQuery, letterParameters, lettersQuery } from './query.ts';

export interface LetterRouteParts {
  index: LetterIndex;
  follower: IndexFollower;
}

/** Milliseconds for which one request searches bodies. Its answer has the position of the next one. */
const maxSearchMs = 5000;

/** Adds the routes of the dead letters. Counts and pages are answered from memory. */
export function addLetterRoutes(app: FastifyInstance, { index, follower }: LetterRouteParts): void {
  const state = () => ({ total: index.size, updated_at: follower.updatedAt?.toISOString() ?? null });

  app.get('/api/groups', async ({ query }) => {
    const { from, to, intervals: number, ...fields } = checked(groupsQuery, query);
    const filter = entryFilter(fields);
    const groups = index.groups(filter);
    if (number === undefined) return { ...state(), groups: groups.map(groupOf) };
    const times = { from: firstOf(groups, from), to: lastOf(groups, to), number };
    if (times.from >= times.to) throw new Problem(400, 'Bad Request', 'to: expected a time behind from');
    return { ...state(), ...isoTimes(times), groups: index.groups(filter, undefined, times).map(groupOf) };
  });

  app.get('/api/letters', async ({ query, raw }) => {
    const { after, before, order, limit, text, ...fields } = checked(lettersQuery, query);
    const filter = entryFilter(fields);
    if (text !== undefined) {
      if (order !== 'oldest')
        throw new Problem(400, 'Bad Request', 'text: expected order oldest, got newest');
      return { ...state(), ...(await search(index, text, filter, { after, limit }, raw)) };
    }
    const entries = index.page(filter, { after, before, newestFirst: order === 'newest', limit });
    const next = entries.length === limit ? entries.at(-1)?.offset : undefined;
    return { ...state(), letters: entries.map(summaryOf), next: next ?? null };
  });

  app.get('/api/letters/:offset', async ({ params }) => {
    const [entry] = await index.read([checked(letterParameters, params)]);
    if (!entry) throw new Problem(404, 'Not Found', 'no dead letter has this offset');
    return { offset: entry.offset, is_gone: !index.has(entry.offset), ...entry.letter };
  });
}

async function search(
  index: LetterIndex,
  text: string,
  filter: EntryFilter,
  { after, limit }: Pick<EntryRange, 'after'> & { limit: number },
  request: NodeJS.EventEmitter,
) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), maxSearchMs);
  request.once('close', () => stop.abort());
  const letters: ReturnType<typeof summaryOf>[] = [];
  let last: number | undefined;
  const progress = (offset: number) => {
    last = offset;
  };
  try {
    for await (const { offset } of index.search(text, filter, { after, progress, signal: stop.signal })) {
      letters.push(...index.page({}, { after: offset - 1, limit: 1 }).map(summaryOf));
      if (letters.length === limit) break;
    }
  } finally {
    clearTimeout(timer);
  }
  const isWhole = letters.length < limit && !stop.signal.aborted;
  if (!isWhole && last === undefined)
    throw new Problem(503, 'Unavailable', 'text: the broker sent no dead letter in time; try again');
  return { letters, next: isWhole ? null : last };
}

const isoOf = (ms: number | undefined): string | null =>
  ms === undefined ? null : new Date(ms).toISOString();
const isoTimes = ({ from, to }: { from: number; to: number }) => ({ from: isoOf(from), to: isoOf(to) });

const groupOf = ({ firstSeen, lastSeen, ...group }: EntryGroup) => ({
  ...group,
  first_seen: isoOf(firstSeen),
  last_seen: isoOf(lastSeen),
});

const summaryOf = ({ failure, failedAt, ...entry }: EntrySummary) => ({
  ...entry,
  ...failure,
  failed_at: isoOf(failedAt),
});

/** The start of the curves: the one that was asked for, or that of the oldest dead letter. */
function firstOf(groups: readonly EntryGroup[], from: string | undefined): number {
  if (from !== undefined) return Date.parse(from);
  return Math.min(...groups.map(({ firstSeen = Number.POSITIVE_INFINITY }) => firstSeen), Date.now());
}

/** The end of the curves: the time that was asked for, or behind the newest dead letter. */
function lastOf(groups: readonly EntryGroup[], to: string | undefined): number {
  if (to !== undefined) return Date.parse(to);
  return Math.max(...groups.map(({ lastSeen = 0 }) => lastSeen + 1), 1);
}
