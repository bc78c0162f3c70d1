// What a user had begun when the token expired. It survives the way to the issuer and back in the storage of the tab.
import { useLayoutEffect, useRef } from 'preact/hooks';
import { hasExpired } from './api.ts';
import type { Draft, Planned } from './letters/begun.ts';

/** An action that the board has not done. */
export interface Unsent {
  /** Such as `Replay of 2 dead letters`. */
  title: string;
  /** What the dialog of a replay or a drop asked, and the queue that was written into it. */
  planned?: Omit<Planned, 'begun'>;
  to?: string;
  /** What was edited. */
  draft?: Draft;
}

const place = 'warren-board-unsent';
/** Another user gets nothing of it. */
let user: string | null = null;

/** Names the user whose actions are kept from now on. */
export function keepFor(name: string | null): void {
  user = name;
}

/** Keeps an action until the user has signed in again. */
export function keepUnsent(unsent: Unsent): void {
  sessionStorage.setItem(place, JSON.stringify({ user, unsent }));
}

/** Forgets what is kept. */
export function forgetUnsent(): void {
  sessionStorage.removeItem(place);
}

/** Returns what is kept, of any user. */
export function keptTitle(): string | undefined {
  return read()?.unsent.title;
}

/** Returns what is kept of this user, and forgets it. */
export function takeUnsent(name: string | null): Unsent | undefined {
  const kept = read();
  forgetUnsent();
  return kept?.user === name ? kept.unsent : undefined;
}

function read(): { user: string | null; unsent: Unsent } | undefined {
  const text = sessionStorage.getItem(place);
  return text === null ? undefined : (JSON.parse(text) as { user: string | null; unsent: Unsent });
}

/** Keeps what a dialog holds if the token expires while it is open. */
export function useUnsent(describe: () => Unsent): void {
  const latest = useRef(describe);
  latest.current = describe;
  useLayoutEffect(
    () => () => {
      if (hasExpired()) keepUnsent(latest.current());
    },
    [],
  );
}
