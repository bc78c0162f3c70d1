import { useEffect, useState } from 'preact/hooks';
import type { Session } from '../api-types.ts';
import { Announcer } from './announce.tsx';
import { AuditView } from './audit.tsx';
import { Help } from './dialog.tsx';
import { Guarded } from './guarded.tsx';
import { useJobs } from './jobs/store.ts';
import { JobTray } from './jobs/tray.tsx';
import { useKeys } from './keys.ts';
import { GoneView } from './letters/gone.tsx';
import { LettersView } from './letters/view.tsx';
import { LiveView } from './live/view.tsx';
import { MapView } from './map/view.tsx';
import { ProjectProblems } from './problems.tsx';
import { go, linkTo, type Route, useRoute } from './route.ts';
import { type Features, useSession } from './session.ts';
import { SignInView } from './sign-in-view.tsx';
import { SpyView } from './spy.tsx';
import { Failed, Loading } from './states.tsx';
import { UnsentNotes } from './unsent-note.tsx';

interface View {
  id: string;
  name: string;
  isThere: (features: Features) => boolean;
}

const views: View[] = [
  { id: 'letters', name: 'Dead letters', isThere: () => true },
  { id: 'live', name: 'Live', isThere: ({ live }) => live },
  { id: 'map', name: 'Map', isThere: ({ topology }) => topology },
  { id: 'spy', name: 'Spy', isThere: ({ spy }) => spy },
  { id: 'audit', name: 'Audit', isThere: ({ audit }) => audit },
];

/** The page. */
export function App() {
  const session = useSession();
  const route = useRoute();
  if (session.state === 'loading') return <Loading label="Loading the board" />;
  if (session.state === 'failed') {
    return (
      <main>
        <Failed problem={session.problem} isView again={session.again} />
      </main>
    );
  }
  if (session.state === 'signed-out') return <SignInView {...session} />;
  return <Board {...session} route={route} />;
}

interface BoardProps {
  session: Session | undefined;
  features: Features;
  isOperator: boolean;
  signOut: () => void;
  route: Route;
}

function Board({ session, features, isOperator, signOut, route }: BoardProps) {
  const [isHelp, setHelp] = useState(false);
  const shown = views.filter(({ isThere }) => isThere(features));
  const view = shown.find(({ id }) => id === route.view) ?? shown[0];
  const hasGone = session?.sources.some(({ kind }) => kind === 'index') ?? false;
  // It belongs to the dead letters.
  const isGone = hasGone && route.view === 'gone';
  const { ended } = useJobs();
  const name = isGone ? 'Gone' : view?.name;
  useEffect(() => {
    document.title = `${name ?? ''} · Warren board`;
  }, [name]);
  const digits = shown.map(({ id }, n) => [String(n + 1), () => go(linkTo(id))] as const);
  useKeys({ ...Object.fromEntries(digits), '?': () => setHelp(true) });
  return (
    <>
      <button type="button" class="skip" onClick={skip}>
        Skip to the content
      </button>
      <header class="top">
        <p class="brand">
          <span class="mark" aria-hidden="true" />
          Warren
        </p>
        <nav aria-label="Views">
          {shown.map(({ id, name }) => (
            <a key={id} href={linkTo(id)} aria-current={id === view?.id ? 'page' : undefined}>
              {name}
            </a>
          ))}
        </nav>
        <p class="who">
          {session && (
            <span class="vhost" title={session.broker}>
              {session.vhost}
            </span>
          )}
          {session?.user && <span title={session.user}>{session.user}</span>}
          {!isOperator && <span class="tag">viewer</span>}
          {session?.sign_in && (
            <button type="button" class="quiet sign-out" onClick={signOut}>
              Sign out
            </button>
          )}
          <button type="button" class="quiet" aria-label="Keyboard help" onClick={() => setHelp(true)}>
            ?
          </button>
        </p>
      </header>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so that the keyboard has to reach it. */}
      <main id="main" tabIndex={0}>
        {session?.development && <ProjectProblems />}
        <UnsentNotes user={session?.user ?? null} canUndo={features.edit} />
        <Guarded key={isGone ? 'gone' : view?.id}>
          {isGone && <GoneView version={ended} />}
          {view?.id === 'letters' && !isGone && (
            <LettersView
              route={route}
              isOperator={isOperator}
              canEdit={features.edit}
              session={session}
              hasGone={hasGone}
            />
          )}
          {view?.id === 'live' && <LiveView route={route} hasHistory={features.history} />}
          {view?.id === 'map' && <MapView />}
          {view?.id === 'spy' && <SpyView />}
          {view?.id === 'audit' && <AuditView />}
        </Guarded>
      </main>
      <JobTray isOperator={isOperator} canPause={features.edit} />
      <Announcer />
      {isHelp && <Help close={() => setHelp(false)} />}
    </>
  );
}

function skip(): void {
  document.getElementById('main')?.focus();
}
