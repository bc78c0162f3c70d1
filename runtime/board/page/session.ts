import { useEffect, useState } from 'preact/hooks';
import type { Session, SignIn } from '../api-types.ts';
import { ApiError, get, hasExpired, hasRoute, keepToken, onSignedOut } from './api.ts';
import { leftJobs } from './jobs/store.ts';
import { completeSignIn, isBack } from './sign-in.ts';
import { forgetKept, keepFor, keepJobs } from './unsent.ts';

/** The parts of the board's API that an older board does not have. */
export interface Features {
  live: boolean;
  history: boolean;
  topology: boolean;
  spy: boolean;
  audit: boolean;
  /** Edited replays, pauses and the grace period of a drop. */
  edit: boolean;
}

/** A user without a token, or with one that grants no role. */
export interface SignedOut {
  state: 'signed-out';
  signIn: SignIn | undefined;
  /** Why there is no token; undefined if there never was one. */
  problem?: unknown;
  /** Whether the user has signed out. */
  hasLeft?: boolean;
  /** Whether the token of the user has expired. */
  hasExpired?: boolean;
  /** Name of a user without a role. */
  stranger?: string | undefined;
}

/** What the page knows about its user. */
export type SessionState =
  | { state: 'loading' }
  | { state: 'failed'; problem: unknown }
  | SignedOut
  | { state: 'ready'; session: Session | undefined; features: Features; isOperator: boolean };

/** A board without sessions is for programs of its own machine. */
async function sessionOf(): Promise<Session | undefined> {
  try {
    return await get<Session>('/api/session');
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

async function featuresOf(hasSession: boolean): Promise<Features> {
  const [live, history, topology, audit] = await Promise.all([
    hasRoute('/api/live'),
    hasRoute('/api/history?range=hour'),
    hasRoute('/api/topology'),
    hasRoute('/api/audit?limit=1'),
  ]);
  // A spy begins with its request, so that it is not tried.
  return { live, history, topology, spy: hasSession, audit, edit: hasSession };
}

async function begin(): Promise<SessionState> {
  let session = await sessionOf();
  if (session?.sign_in && session.role === null) {
    const signIn = session.sign_in;
    if (!isBack()) return { state: 'signed-out', signIn };
    try {
      keepToken(await completeSignIn(signIn));
    } catch (problem) {
      return { state: 'signed-out', signIn, problem };
    }
    session = await sessionOf();
    if (session?.role === null) return { state: 'signed-out', signIn, stranger: session.user ?? '' };
  }
  keepFor(session?.user ?? null);
  const features = await featuresOf(session !== undefined);
  return { state: 'ready', session, features, isOperator: session ? session.role === 'operator' : true };
}

/** Finds out who the user is and what the board can do. `again` starts over, `signOut` forgets the token. */
export function useSession(): SessionState & { again: () => void; signOut: () => void } {
  const [state, setState] = useState<SessionState>({ state: 'loading' });
  const again = () => {
    begin().then(setState, (problem: unknown) => {
      // A missing token has been reported by then.
      if (!(problem instanceof ApiError && problem.status === 401)) setState({ state: 'failed', problem });
    });
  };
  const signOut = () => {
    keepToken(undefined);
    forgetKept();
    setState((old) => ({ state: 'signed-out', signIn: signInOf(old), hasLeft: true }));
  };
  // The session is read once.
  useEffect(() => {
    onSignedOut((signIn) => {
      keepToken(undefined);
      if (hasExpired()) keepJobs(leftJobs());
      // A request that was in flight when the user signed out changes nothing.
      setState((old) =>
        old.state === 'signed-out'
          ? old
          : { state: 'signed-out', signIn: signIn ?? signInOf(old), hasExpired: old.state === 'ready' },
      );
    });
    again();
  }, []);
  return { ...state, again, signOut };
}

/** How the user of the last session signed in. */
const signInOf = (state: SessionState): SignIn | undefined =>
  state.state === 'ready' ? (state.session?.sign_in ?? undefined) : undefined;
