// What a user had begun when the token expired. It survives the way to the issuer and back in the storage of the tab.
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { hasExpired } from './api.ts';
import type { JobChange } from './jobs/store.ts';
import type { Draft, Planned } from './letters/begun.ts';

/** An action that the board has not done. */
export interface Unsent {
  /** Such as `Replay of 2 dead letters`. One of the same title takes its place. */
  title: string;
  /** What the dialog of a replay or a drop asked, the queue that was written into it, and whether its box was checked. */
  planned?: Omit<Planned, 'begun'>;
  to?: string;
  oneAtATime?: boolean;
  /** What was edited. */
  draft?: Draft;
  /** What was asked of a job. */
  change?: { id: string; change: JobChange };
}

/** A job that was open. */
export interface LeftJob {
  id: string;
  /** What becomes of it meanwhile. */
  text: string;
}

interface Kept {
  unsent: Unsent[];
  jobs: LeftJob[];
}

const place = 'warren-board-unsent';
/** Another user gets nothing of it. */
let user: string | null = null;
const listeners = new Set<() => void>();

/** Names the user whose actions are kept from now on. */
export function keepFor(name: string | null): void {
  user = name;
}

/** Keeps an action until the user has signed in again. */
export function keepUnsent(unsent: Unsent): void {
  const { unsent: others, jobs } = read();
  write({ unsent: [...others.filter(({ title }) => title !== unsent.title), unsent], jobs });
}

/** Keeps the jobs that the user shall see again. */
export function keepJobs(jobs: LeftJob[]): void {
  if (jobs.length > 0) write({ unsent: read().unsent, jobs });
}

/** Forgets what is kept. */
export function forgetKept(): void {
  sessionStorage.removeItem(place);
}

/** Returns what is kept of this user, and forgets it. */
export function takeKept(name: string | null): Kept {
  const { user: of, ...kept } = read();
  forgetKept();
  return of === name ? kept : { unsent: [], jobs: [] };
}

/** What is kept of any user. */
export function useKept(): Kept {
  const [kept, setKept] = useState<Kept>(read);
  useEffect(() => {
    const listener = () => setKept(read());
    listeners.add(listener);
    // A dialog that was open keeps its content when it goes.
    listener();
    return () => void listeners.delete(listener);
  }, []);
  return kept;
}

function read(): Kept & { user: string | null } {
  const text = sessionStorage.getItem(place);
  const none = { user, unsent: [], jobs: [] };
  return text === null ? none : (JSON.parse(text) as Kept & { user: string | null });
}

function write(kept: Kept): void {
  sessionStorage.setItem(place, JSON.stringify({ user, ...kept }));
  for (const listener of listeners) listener();
}

/**
 * Keeps what a dialog holds if the token expires while it is open.
 *
 * @returns a function for the moment when the board has done it, which may be after that.
 */
export function useUnsent(describe: () => Unsent): () => void {
  const latest = useRef(describe);
  latest.current = describe;
  const kept = useRef<string | undefined>(undefined);
  const isDone = useRef(false);
  useLayoutEffect(
    () => () => {
      if (!hasExpired() || isDone.current) return;
      const unsent = latest.current();
      kept.current = unsent.title;
      keepUnsent(unsent);
    },
    [],
  );
  return () => {
    isDone.current = true;
    if (kept.current === undefined) return;
    const { unsent, jobs } = read();
    write({ unsent: unsent.filter(({ title }) => title !== kept.current), jobs });
  };
}
