import type { LiveScheduled } from '../../api-live-types.ts';
import { count, duration } from '../format.tsx';

/** The delayed messages, by the time in which they are due at the latest. */
export function Scheduled({ scheduled: { total, levels, held } }: { scheduled: LiveScheduled }) {
  return (
    <section aria-labelledby="scheduled-title">
      <h2 id="scheduled-title">Scheduled</h2>
      <p class="muted">
        {total === 0
          ? 'No message waits with a delay.'
          : `${count(total)} with a delay, by the time in which they are due at the latest.`}
      </p>
      {levels.length > 0 && (
        <dl class="levels">
          {levels.map(({ waiting, due_within_ms: ms }) => (
            <div key={ms}>
              <dt>within {duration(ms)}</dt>
              <dd>{count(waiting)}</dd>
            </div>
          ))}
        </dl>
      )}
      {held.map(({ kind, name, waiting }) => (
        <p class="warning" key={`${kind} ${name}`}>
          {count(waiting)} are due, and {kind} {name} does not take them.
        </p>
      ))}
    </section>
  );
}
