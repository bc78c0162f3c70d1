import { useEffect, useRef, useState } from 'preact/hooks';
import type { Group } from '../../api-types.ts';
import { count, When } from '../format.tsx';
import { moveFocus, useKeys } from '../keys.ts';
import { linkTo } from '../route.ts';
import { groupFilter, isGroup, type ListFilter, parametersOf } from './filter.ts';
import { Sparkline } from './sparkline.tsx';

interface GroupsProps {
  groups: Group[];
  total: number;
  filter: ListFilter | undefined;
}

/** Groups that are drawn at first: each dead letter may have an error of its own. */
const maxGroups = 200;

const sameFailure = ({ queue, reason, error, place }: Group): string =>
  JSON.stringify([queue, reason, error, place]);

/** The dead letters in groups of the same failure, the largest first. */
export function GroupList({ groups, total, filter }: GroupsProps) {
  const list = useRef<HTMLUListElement>(null);
  const [limit, setLimit] = useState(maxGroups);
  const move = (step: number) => {
    moveFocus([...(list.current?.querySelectorAll('a') ?? [])], step);
  };
  const steps: Record<string, number> = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 };
  // With a list beside it, the keys belong to the list unless the focus is here.
  const focused = (event: KeyboardEvent) => {
    const step = steps[event.key];
    if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    move(step);
  };
  const keys = Object.entries(steps).map(([key, step]) => [key, () => move(step)] as const);
  useKeys(Object.fromEntries(keys));
  // Back from a list, the focus returns to its group.
  const opened = useRef<Element | undefined>(undefined);
  useEffect(() => {
    const current = list.current?.querySelector('[aria-current]');
    if (filter) opened.current = current ?? undefined;
    else if (opened.current instanceof HTMLElement) {
      opened.current.focus();
      opened.current = undefined;
    }
  }, [filter === undefined]);
  const isAll = filter && Object.keys(filter).length === 0;
  const all = linkTo('letters', { all: 'yes' });
  return (
    <ul class="groups" ref={list} onKeyDown={focused}>
      {[...groups]
        .sort((a, b) => b.count - a.count)
        .slice(0, limit)
        .map((group) => (
          <li key={sameFailure(group)}>
            <GroupLink group={group} isCurrent={isGroup(filter, group)} />
          </li>
        ))}
      {groups.length > limit && (
        <li class="more-groups">
          <button type="button" class="link" onClick={() => setLimit(limit + maxGroups)}>
            {count(groups.length - limit)} more groups
          </button>
        </li>
      )}
      <li class="all">
        <a href={all} aria-current={isAll ? 'true' : undefined}>
          <span class="number">{count(total)}</span>
          <span class="what">All dead letters</span>
        </a>
      </li>
    </ul>
  );
}

function GroupLink({ group, isCurrent }: { group: Group; isCurrent: boolean }) {
  const { queue, reason, error, place, counts, first_seen: first, last_seen: last } = group;
  return (
    <a
      href={linkTo('letters', parametersOf(groupFilter(group)))}
      aria-current={isCurrent ? 'true' : undefined}
    >
      <span class="number">{count(group.count)}</span>
      <span class="what">
        <span class="error">{error ?? reason}</span>
        <span class="meta">
          <span class="queue">{queue}</span>
          {error !== undefined && <span class="reason">{reason}</span>}
          {place !== undefined && <code class="place">{place}</code>}
        </span>
      </span>
      <Sparkline counts={counts} />
      <span class="seen">
        <span>
          last <When at={last} />
        </span>
        <span>
          first <When at={first} />
        </span>
      </span>
    </a>
  );
}
