import { useEffect, useState } from 'preact/hooks';
import type { Audit, AuditEntry } from '../api-job-types.ts';
import { get } from './api.ts';
import { time } from './format.tsx';
import { Empty, Failed, Loading } from './states.tsx';

const pageSize = 100;
/** Characters of a value that are shown at first. */
const maxLength = 120;

/** Every action of every operator, the latest first. */
export function AuditView() {
  const [entries, setEntries] = useState<AuditEntry[]>();
  const [hasMore, setMore] = useState(false);
  const [problem, setProblem] = useState<unknown>();
  const load = async (known: AuditEntry[]) => {
    const before = known.at(-1)?.at;
    const query = before === undefined ? '' : `&before=${encodeURIComponent(before)}`;
    try {
      const { entries: more } = await get<Audit>(`/api/audit?limit=${pageSize}${query}`);
      setEntries([...known, ...more]);
      setMore(more.length === pageSize);
      setProblem(undefined);
    } catch (error) {
      setProblem(error);
    }
  };
  // The button loads the other pages.
  useEffect(() => void load([]), []);
  const failed = problem !== undefined && <Failed problem={problem} again={() => load(entries ?? [])} />;
  return (
    <section class="page" aria-labelledby="audit-title">
      <h1 id="audit-title">Audit</h1>
      <p class="muted">Every action of every operator, the latest first.</p>
      {!entries && (failed || <Loading label="Loading the audit log" />)}
      {entries?.length === 0 && (
        <Empty title="No action yet">
          <p>Replays, drops and edits appear here with their user.</p>
        </Empty>
      )}
      {entries && entries.length > 0 && <AuditTable entries={entries} />}
      {entries && failed}
      {hasMore && (
        <button type="button" onClick={() => load(entries ?? [])}>
          Load older ones
        </button>
      )}
    </section>
  );
}

function AuditTable({ entries }: { entries: AuditEntry[] }) {
  return (
    <table class="rows audit">
      <thead>
        <tr>
          <th scope="col">When</th>
          <th scope="col">Who</th>
          <th scope="col">Action</th>
          <th scope="col">Details</th>
        </tr>
      </thead>
      <tbody>
        {entries.map(({ at, user, action, detail }) => (
          <tr key={`${at} ${action} ${user}`}>
            <td>
              <time dateTime={at}>{time(at)}</time>
            </td>
            <td>{user}</td>
            <td>
              <span class={`tag ${action}`}>{action}</span>
            </td>
            <td>
              <Detail detail={detail} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Detail({ detail }: { detail: Record<string, unknown> }) {
  return (
    <dl class="inline">
      {Object.entries(detail).map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            <Value text={typeof value === 'string' ? value : JSON.stringify(value)} />
          </dd>
        </div>
      ))}
    </dl>
  );
}

/** A value; a long one, such as the ids of a selection, opens by its beginning. */
function Value({ text }: { text: string }) {
  if (text.length <= maxLength) return <>{text}</>;
  return (
    <details>
      <summary>{text.slice(0, maxLength)}…</summary>
      {text}
    </details>
  );
}
