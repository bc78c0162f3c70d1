import type { Groups, Source } from '../../api-types.ts';
import { count, shortTime, When } from '../format.tsx';

/** The queues whose dead letters cannot be read, with the reason. */
export function Sources({ sources = [] }: { sources?: Source[] | undefined }) {
  const failing = sources.filter(({ problem }) => problem !== null);
  if (failing.length === 0) return null;
  return (
    <details class="sources">
      <summary>
        {failing.length === 1 ? '1 queue' : `${failing.length} queues`} of dead letters cannot be read
      </summary>
      <ul>
        {failing.map(({ queue, problem }) => (
          <li key={queue}>
            <span class="queue">{queue}</span> {problem}
          </li>
        ))}
      </ul>
    </details>
  );
}

/** Milliseconds after which the index should have been read again several times. */
const staleMs = 15_000;

/** What the groups are of: their number, the time of their bars, and a warning if they are old. */
export function GroupsNote({ groups: { groups, total, from, to, updated_at: at } }: { groups: Groups }) {
  const isStale = at !== null && Date.now() - Date.parse(at) > staleMs;
  return (
    <>
      <p class="muted groups-note">
        {count(total)} in {groups.length === 1 ? '1 group' : `${count(groups.length)} groups`}
        {from && to && total > 0 && `; bars from ${shortTime(from)} to ${shortTime(to)}`}
      </p>
      {isStale && (
        <p class="note" role="status">
          Last read <When at={at} />: the broker may be unavailable, and the board tries again.
        </p>
      )}
    </>
  );
}
