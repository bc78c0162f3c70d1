import { useEffect, useRef, useState } from 'preact/hooks';
import type { Group, Groups, Session } from '../../api-types.ts';
import { useJobs } from '../jobs/store.ts';
import { useKeys } from '../keys.ts';
import { usePolling } from '../polling.ts';
import { go, linkTo, type Route, readRoute } from '../route.ts';
import { Empty, Failed, Loading } from '../states.tsx';
import type { Planned } from './begun.ts';
import { Confirm } from './confirm.tsx';
import { filterOf, includes, isGroup, type ListFilter, parametersOf } from './filter.ts';
import { GroupList } from './groups.tsx';
import { LetterView } from './letter.tsx';
import { LetterList } from './list.tsx';
import { useLetters } from './load.ts';
import type { Place } from './place.ts';
import { SearchForm } from './search.tsx';
import { GroupsNote, NotReady, Outdated, Sources } from './sources.tsx';

interface ViewProps {
  route: Route;
  isOperator: boolean;
  /** Whether the board has edited replays, and the grace period of a drop. */
  canEdit: boolean;
  session: Session | undefined;
  /** Whether the board knows which dead letters are gone: not those of other clients' queues. */
  hasGone: boolean;
}

/** Milliseconds between two requests for the groups. */
const pauseMs = 2000;

const noneSelected: ReadonlySet<number> = new Set();

/** The dead letters: their groups, and beside them the list of a group, or one dead letter. */
export function LettersView({ route, isOperator, canEdit, session, hasGone }: ViewProps) {
  const { ended } = useJobs();
  const [refreshed, setRefreshed] = useState(0);
  const { data, problem } = usePolling<Groups>('/api/groups?intervals=40', pauseMs, ended);
  const filter = filterOf(route.query);
  const key = JSON.stringify(filter);
  const loaded = useLetters(filter, ended + refreshed);
  const [list, setList] = useState({ key, active: 0, selected: noneSelected });
  const { active, selected } = list.key === key ? list : { active: 0, selected: noneSelected };
  const [planned, setPlanned] = useState<Planned>();
  const wasOpen = useRef(false);
  useEffect(() => {
    wasOpen.current = route.item !== undefined;
  }, [route.item]);
  const search = useRef<HTMLInputElement>(null);
  useKeys({ '/': () => search.current?.select() });
  // Dead letters that are gone are not selected any more.
  // Only the end of a job removes dead letters.
  useEffect(() => setList((old) => ({ ...old, selected: noneSelected })), [ended]);
  if (!data) {
    if (problem === undefined) return <Loading label="Loading the groups" rows={8} />;
    return <NotReady problem={problem} />;
  }
  const group = filter && data.groups.find((each) => isGroup(filter, each));
  const expected = filter && filter.text === undefined ? numberIn(data.groups, filter) : undefined;
  const rows = loaded.letters;
  const to = (offset: number | undefined) => {
    if (offset !== undefined) go(linkTo(`letters/${offset}`, parametersOf(filter ?? {})));
  };
  // Keys may come faster than the page is drawn, so that a change begins with the newest place.
  const change = (next: (place: Place) => Partial<Place>) =>
    setList((old) => {
      const place = old.key === key ? old : { key, active: 0, selected: noneSelected };
      return { ...place, ...next(place) };
    });
  const className = route.item !== undefined ? 'split has-letter' : filter ? 'split' : 'overview';
  // A list or a dead letter beside it has the first heading.
  const Title = className === 'overview' ? 'h1' : 'h2';
  return (
    <div class={`letters ${className}`}>
      <section class="groups-pane" aria-labelledby="groups-title">
        <div class="pane-head">
          <Title id="groups-title">Dead letters</Title>
          <SearchForm filter={filter} input={search} />
        </div>
        {data.total > 0 && <GroupsNote groups={data} />}
        <Outdated groups={data} />
        <Sources sources={session?.sources} known={data.problem} />
        {problem !== undefined && <Failed problem={problem} />}
        {data.total === 0 ? (
          <Empty title="No dead letters">
            <p>Messages that fail for good appear here, in groups of the same failure.</p>
          </Empty>
        ) : (
          <GroupList groups={data.groups} total={data.total} filter={filter} />
        )}
        {hasGone && (
          <p class="gone-link">
            <a href={linkTo('gone')}>Gone: replayed and dropped ones</a>
          </p>
        )}
      </section>
      {filter && route.item === undefined && (
        <LetterList
          filter={filter}
          group={group}
          expected={expected}
          loaded={loaded}
          active={active}
          selected={selected}
          isOperator={isOperator}
          change={change}
          plan={setPlanned}
          isBack={wasOpen.current}
          refresh={() => setRefreshed((n) => n + 1)}
        />
      )}
      {route.item !== undefined && (
        <LetterView
          key={route.item}
          offset={Number(route.item)}
          version={ended}
          filter={filter}
          isOfGone={route.query.has('gone')}
          isOperator={isOperator}
          canEdit={canEdit}
          previous={() => to(neighbor(rows, -1, change))}
          next={() => to(neighbor(rows, 1, change))}
          plan={setPlanned}
        />
      )}
      {planned && <Confirm planned={planned} canUndo={canEdit} close={() => setPlanned(undefined)} />}
    </div>
  );
}

function numberIn(groups: readonly Group[], filter: ListFilter): number {
  const included = groups.filter((group) => includes(filter, group));
  return included.reduce((sum, group) => sum + group.count, 0);
}

/** The dead letter beside the open one in the list, whose row becomes the active one. */
function neighbor(
  rows: readonly { offset: number }[],
  step: number,
  change: (next: () => Partial<Place>) => void,
): number | undefined {
  // Keys may come faster than the page is drawn; the address changes at once.
  const offset = Number(readRoute().item);
  const row = rows.findIndex((each) => each.offset === offset) + step;
  if (rows[row]) change(() => ({ active: row }));
  return rows[row]?.offset;
}
