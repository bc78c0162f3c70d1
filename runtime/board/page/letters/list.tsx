import { useLayoutEffect, useRef } from 'preact/hooks';
import type { JobFilter } from '../../api-job-types.ts';
import type { Group } from '../../api-types.ts';
import { count, When } from '../format.tsx';
import { useKeys } from '../keys.ts';
import { go, linkTo } from '../route.ts';
import { Empty, Failed, Loading } from '../states.tsx';
import type { Planned } from './begun.ts';
import { jobFilter, type ListFilter, parametersOf } from './filter.ts';
import { statusOf, titleOf, wholeOf } from './list-text.ts';
import type { Loaded } from './load.ts';
import type { Place } from './place.ts';
import { Reason } from './reason.tsx';
import { Rows } from './rows.tsx';

interface ListProps {
  filter: ListFilter;
  group: Group | undefined;
  /** Number in the list: of the group, of all, or undefined for a search. */
  expected: number | undefined;
  loaded: Loaded & { goOn: () => void };
  active: number;
  selected: ReadonlySet<number>;
  change: (next: (place: Place) => Partial<Place>) => void;
  isOperator: boolean;
  plan: (planned: Planned) => void;
  refresh: () => void;
  /** Whether the user comes back from a dead letter, whose row gets the focus. */
  isBack: boolean;
}

/** The dead letters of a group, of a search, or all. */
export function LetterList(props: ListProps) {
  const { filter, group, expected, loaded, selected, change, isOperator, plan } = props;
  const { letters, state } = loaded;
  const isSearch = filter.text !== undefined;
  const whole = jobFilter(filter);
  const number = whole ? (expected ?? letters.length) : letters.length;
  const which = wholeOf(props);
  const offsets = () => letters.map(({ offset }) => offset);
  const planned = (action: Planned['action']): Planned => {
    if (selected.size > 0) {
      const picked: JobFilter = { offset: [...selected] };
      return {
        action,
        filter: picked,
        number: selected.size,
        which: 'The selected ones.',
        begun: () => select([]),
      };
    }
    return { action, filter: whole ?? { offset: offsets() }, number, which };
  };
  // Positions select a list as far as it is loaded, so that its job waits for the end.
  const isReady =
    number > 0 && (selected.size > 0 || whole !== undefined || state === 'done' || state === 'paused');
  const ask = (action: Planned['action']) => () => {
    if (isOperator && isReady) plan(planned(action));
  };
  const select = (offsets: number[]) => change(() => ({ selected: new Set(offsets) }));
  const isAll = letters.length > 0 && selected.size === letters.length;
  const toggleAll = () => select(isAll ? [] : offsets());
  const back = () => go(linkTo('letters', isSearch ? parametersOf({ ...filter, text: undefined }) : {}));
  const title = useRef<HTMLHeadingElement>(null);
  // A screen reader begins with the list that was opened.
  useLayoutEffect(() => {
    if (!props.isBack) title.current?.focus({ preventScroll: true });
  }, [filter.queue, filter.error_is, filter.text]);
  useKeys({
    r: ask('replay'),
    d: ask('drop'),
    ...(isOperator && { a: toggleAll }),
    Escape: selected.size > 0 ? () => select([]) : back,
  });
  const verb = selected.size > 0 ? `${count(selected.size)} selected` : `all ${count(number)}`;
  return (
    <section class="list" aria-labelledby="list-title">
      <header class="list-head">
        <a class="back" href={linkTo('letters')}>
          All groups
        </a>
        <h1 id="list-title" tabIndex={-1} ref={title}>
          {titleOf(props)}
        </h1>
        {group && <GroupFacts group={group} />}
        <div class="bar-of-list">
          {isOperator && (
            <label class="pick-all">
              <input type="checkbox" checked={isAll} onChange={toggleAll} disabled={letters.length === 0} />
              Select all
            </label>
          )}
          <p class="muted" role="status">
            {statusOf(loaded, isSearch, expected)}
          </p>
          {expected !== undefined && state === 'done' && expected !== letters.length && whole && (
            <button type="button" class="link" onClick={props.refresh}>
              Refresh
            </button>
          )}
          {isOperator && (
            <span class="buttons">
              <button type="button" class="primary" disabled={!isReady} onClick={ask('replay')}>
                Replay {verb}
              </button>
              <button type="button" class="danger" disabled={!isReady} onClick={ask('drop')}>
                Drop {selected.size > 0 ? count(selected.size) : 'all'}
              </button>
            </span>
          )}
        </div>
      </header>
      <Content {...props} />
    </section>
  );
}

function Content(props: ListProps) {
  const { filter, group, loaded, active, selected, change } = props;
  const { letters, state, problem, goOn } = loaded;
  if (letters.length === 0 && state === 'loading') return <Loading label="Loading dead letters" rows={10} />;
  if (letters.length === 0 && state === 'done') {
    return (
      <Empty title={filter.text === undefined ? 'None left' : 'Nothing found'}>
        <p>
          {filter.text === undefined
            ? 'No message failed for good here, or all were replayed or dropped.'
            : 'The search looks for the exact text in ids, errors, headers and bodies, in the same case.'}
        </p>
      </Empty>
    );
  }
  return (
    <>
      {state === 'failed' && <Failed problem={problem} again={goOn} />}
      <Rows
        letters={letters}
        active={active}
        selected={selected}
        change={change}
        label={titleOf(props)}
        isMixed={group === undefined}
        canSelect={props.isOperator}
        isFocused={props.isBack}
        open={(offset) => go(linkTo(`letters/${offset}`, parametersOf(filter)))}
      />
      {state === 'paused' && (
        <p class="more">
          <button type="button" onClick={goOn}>
            {filter.text === undefined ? 'Load more' : 'Continue the search'}
          </button>
        </p>
      )}
    </>
  );
}

function GroupFacts({
  group: { queue, reason, place, first_seen: first, last_seen: last },
}: {
  group: Group;
}) {
  return (
    <p class="facts">
      <span class="queue">{queue}</span>
      <Reason reason={reason} />
      {place !== undefined && <code class="place">{place}</code>}
      <span class="muted">
        first <When at={first} />, last <When at={last} />
      </span>
    </p>
  );
}
