import { useEffect, useRef, useState } from 'preact/hooks';
import type { LetterSummary, Letters } from '../../api-types.ts';
import { get } from '../api.ts';
import { apiQuery, isIn, type ListFilter } from './filter.ts';

/** Sizes of pages: the first one is shown at once. A search ends each request after some seconds by itself. */
const [firstPage, nextPages, searchPage] = [100, 1000, 100];
/** Number after which the user decides whether to load more. */
const [maxListed, maxFound] = [20_000, 500];

/** A list as far as it is loaded. */
export interface Loaded {
  letters: LetterSummary[];
  state: 'loading' | 'paused' | 'done' | 'failed';
  problem: unknown;
}

interface LoadedList extends Loaded {
  /** Loads more after a pause or a failure. */
  goOn: () => void;
}

const none: Loaded = { letters: [], state: 'loading', problem: undefined };

/**
 * Loads a list page by page, the newest first; a search begins with the oldest.
 *
 * @param version another value loads it anew. The old list is shown until the new one has its first page.
 */
export function useLetters(filter: ListFilter | undefined, version: number): LoadedList {
  const key = filter && JSON.stringify(filter);
  const [loaded, setLoaded] = useState<Loaded & { key: string | undefined }>({ ...none, key });
  const proceed = useRef<() => void>(() => undefined);
  // The key stands for the filter; a version loads it anew.
  useEffect(() => {
    if (!filter) return undefined;
    const stop = new AbortController();
    const before = loaded.key === key ? loaded.letters.length : 0;
    const show = (next: Loaded) => {
      // A list that is loaded anew does not shrink meanwhile, so that its reader keeps the place.
      const isShorter = next.state === 'loading' && next.letters.length < before;
      if (!stop.signal.aborted && !isShorter) setLoaded({ ...next, key });
    };
    const paused = () =>
      new Promise<void>((resolve) => {
        proceed.current = resolve;
      });
    void loadAll(filter, show, paused, stop.signal);
    return () => stop.abort();
  }, [key, version]);
  return { ...(loaded.key === key ? loaded : none), goOn: () => proceed.current() };
}

async function loadAll(
  filter: ListFilter,
  show: (loaded: Loaded) => void,
  paused: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const isSearch = filter.text !== undefined;
  const step = isSearch ? maxFound : maxListed;
  const [order, from] = isSearch ? ['oldest', 'after'] : ['newest', 'before'];
  let letters: LetterSummary[] = [];
  let position: number | null = null;
  let allowed = step;
  let limit = isSearch ? searchPage : firstPage;
  while (!signal.aborted) {
    const query = apiQuery(filter);
    query.set('order', order as string);
    query.set('limit', String(limit));
    if (position !== null) query.set(from as string, String(position));
    try {
      const page: Letters = await get<Letters>(`/api/letters?${query}`, signal);
      letters = letters.concat(page.letters.filter((letter) => isIn(filter, letter)));
      position = page.next;
    } catch (problem) {
      if (signal.aborted) return;
      show({ letters, state: 'failed', problem });
      await paused();
      continue;
    }
    if (position === null) return show({ letters, state: 'done', problem: undefined });
    const isFull = letters.length >= allowed;
    show({ letters, state: isFull ? 'paused' : 'loading', problem: undefined });
    if (isFull) {
      await paused();
      allowed = letters.length + step;
    }
    if (!isSearch) limit = nextPages;
  }
}
