import type { FastifyInstance } from 'fastify';
import type { EntryFilter, EntryGroup, EntryRange } from '../dead-letters/entry-summary.ts';
import type { LetterIndex } from '../dead-letters/letter-index.ts';
import { Problem } from '../http/problem.ts';
import type { IndexState } from './api-types.ts';
import type { IndexFollower } from './follow.ts';
import { addGoneRoutes, endOf } from './gone-routes.ts';
import { isoOf, listedOf } from './letter-summary.ts';
import { checked, entryFilter, groupsQuery, letterParameters, lettersQuery } from './query.ts';

export interface LetterRouteParts {
  index: LetterIndex;
  follower: IndexFollower;
}

/** Milliseconds for which one request searches bodies. Its answer has the position of the next one. */
const maxSearchMs = 5000;

/** Adds the routes of the dead letters. Counts and pages are answered from memory. */
export function addLetterRoutes(app: FastifyInstance, { index, follower }: LetterRouteParts): void {
  const state = (): IndexState => ({
    total: index.size,
    updated_at: follower.updatedAt?.toISOString() ?? null,
    problem: follower.problemText,
  });

  app.get('/api/groups', async ({ query }) => {
    const { from, to, intervals: number, ...fields } = checked(groupsQuery, query);
    const filter = entryFilter(fields);
    const groups = index.groups(filter);
    if (number === undefined) return { ...state(), groups: groups.map(groupOf) };
    const times = { ...spanOf(groups, from, to), number };
    return { ...state(), ...isoTimes(times), groups: index.groups(filter, undefined, times).map(groupOf) };
  });

  addGoneRoutes(app, index);

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
    return { ...state(), letters: entries.map(listedOf), next: next ?? null };
  });

  app.get('/api/letters/:offset', async ({ params }) => {
    const [entry] = await index.read([checked(letterParameters, params)]);
    if (!entry) throw new Problem(404, 'Not Found', 'no dead letter has this offset');
    const isGone = !index.has(entry.offset);
    const end = isGone ? index.gone.find(entry.offset) : undefined;
    return { offset: entry.offset, is_gone: isGone, end: end ? endOf(end) : null, ...entry.letter };
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
  const letters: ReturnType<typeof listedOf>[] = [];
  let last: number | undefined;
  const progress = (offset: number) => {
    last = offset;
  };
  try {
    for await (const { offset } of index.search(text, filter, { after, progress, signal: stop.signal })) {
      letters.push(...index.page({}, { after: offset - 1, limit: 1 }).map(listedOf));
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

const isoTimes = ({ from, to }: { from: number; to: number }) => ({ from: isoOf(from), to: isoOf(to) });

const groupOf = ({ firstSeen, lastSeen, ...group }: EntryGroup) => ({
  ...group,
  first_seen: isoOf(firstSeen),
  last_seen: isoOf(lastSeen),
});

/**
 * The start and end of the curves in ms: the times that were asked for, or else those of the oldest and newest dead letter. A span without
 * dead letters has a length too.
 */
function spanOf(groups: readonly EntryGroup[], from: string | undefined, to: string | undefined) {
  const start = from === undefined ? undefined : Date.parse(from);
  const end = to === undefined ? undefined : Date.parse(to);
  if (start !== undefined && end !== undefined && start >= end)
    throw new Problem(400, 'Bad Request', `to: expected a time behind from (${from}), got ${to}`);
  // Each dead letter may have an error of its own; as arguments, so many numbers need too much of the stack.
  const oldest = groups.reduce((time, { firstSeen = time }) => Math.min(time, firstSeen), Date.now());
  const newest = groups.reduce((time, { lastSeen = time }) => Math.max(time, lastSeen), oldest);
  if (start !== undefined) return { from: start, to: end ?? Math.max(newest, start) + 1 };
  return { from: Math.min(oldest, (end ?? Number.POSITIVE_INFINITY) - 1), to: end ?? newest + 1 };
}
