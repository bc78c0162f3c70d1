import type { Groups, Source } from '../../api-types.ts';
import { ApiError } from '../api.ts';
import { count, shortTime, When } from '../format.tsx';
import { Empty, Failed } from '../states.tsx';

/**
 * The queues whose dead letters cannot be read, with the reason.
 *
 * @param known the reason that is shown for all of them.
 */
export function Sources({ sources = [], known }: { sources?: Source[] | undefined; known: string | null }) {
  const failing = sources.filter(({ problem }) => problem !== null && problem !== known);
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

/** What the groups are of: their number, and the time of their bars. */
export function GroupsNote({ groups: { groups, total, from, to } }: { groups: Groups }) {
  return (
    <p class="muted groups-note">
      {count(total)} in {groups.length === 1 ? '1 group' : `${count(groups.length)} groups`}
      {from && to && total > 0 && `; bars from ${shortTime(from)} to ${shortTime(to)}`}
    </p>
  );
}

/** Why the groups are old. The board tries again by itself. */
export function Outdated({ groups: { updated_at: at, problem } }: { groups: Groups }) {
  if (problem === null || problem === undefined) return null;
  return (
    <div class="note outdated" role="status">
      <strong>The board cannot read the dead letters at the moment</strong>
      <p>
        It tries again each second, and shows those of <When at={at} />. Reason: {problem}
      </p>
    </div>
  );
}

/** In place of the groups: how far the board has read the dead letters, or why it cannot. */
export function NotReady({ problem }: { problem: unknown }) {
  if (!(problem instanceof ApiError && problem.status === 503)) return <Failed problem={problem} isView />;
  const { read } = problem;
  if (read === undefined) {
    return (
      <Empty title="The dead letters cannot be read yet" isView>
        <p>{problem.message}</p>
        <p>The board tries again each second.</p>
      </Empty>
    );
  }
  return (
    <Empty title="Reading the dead letters" isView>
      <progress aria-label="Reading the dead letters" />
      <p role="status">{read === 0 ? 'It begins.' : `${count(read)} so far.`}</p>
    </Empty>
  );
}
