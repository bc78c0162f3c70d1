import { useEffect, useState } from 'preact/hooks';
import type { GoneLetters, GoneSummary, LetterEnd } from '../../api-types.ts';
import { get } from '../api.ts';
import { time, When } from '../format.tsx';
import { useKeys } from '../keys.ts';
import { go, linkTo } from '../route.ts';
import { Empty, Failed, Loading } from '../states.tsx';

const pageSize = 50;

/** The dead letters that were replayed or dropped, the latest to go first. */
export function GoneView({ version }: { version: number }) {
  const [letters, setLetters] = useState<GoneSummary[]>();
  const [next, setNext] = useState<number | null>(null);
  const [problem, setProblem] = useState<unknown>();
  const load = async (known: GoneSummary[], before: number | null) => {
    const query = before === null ? '' : `&before=${before}`;
    try {
      const page = await get<GoneLetters>(`/api/gone?limit=${pageSize}${query}`);
      setLetters([...known, ...page.letters]);
      setNext(page.next);
      setProblem(undefined);
    } catch (error) {
      setProblem(error);
    }
  };
  useKeys({ Escape: () => go(linkTo('letters')) });
  // The end of a job makes others go. The button loads the other pages.
  useEffect(() => void load([], null), [version]);
  const failed = problem !== undefined && (
    <Failed problem={problem} again={() => load(letters ?? [], letters ? next : null)} />
  );
  return (
    <section class="page" aria-labelledby="gone-title">
      <p>
        <a class="back is-shown" href={linkTo('letters')}>
          Dead letters
        </a>
      </p>
      <h1 id="gone-title">Gone</h1>
      <p class="muted">
        Dead letters that were replayed or dropped, the latest first. The broker keeps them for 30 days.
      </p>
      {!letters && (failed || <Loading label="Loading what is gone" />)}
      {letters?.length === 0 && next === null && (
        <Empty title="None yet">
          <p>Dead letters that are replayed or dropped appear here.</p>
        </Empty>
      )}
      {letters && letters.length > 0 && <GoneTable letters={letters} />}
      {letters && failed}
      {next !== null && (
        <button type="button" onClick={() => load(letters ?? [], next)}>
          Load older ones
        </button>
      )}
    </section>
  );
}

function GoneTable({ letters }: { letters: GoneSummary[] }) {
  return (
    <table class="rows audit gone-letters">
      <thead>
        <tr>
          <th scope="col">When</th>
          <th scope="col">What happened</th>
          <th scope="col">Who</th>
          <th scope="col">Dead letter</th>
        </tr>
      </thead>
      <tbody>
        {letters.map(({ offset, id, queue, reason, error, end }) => (
          <tr key={offset}>
            <td>{end.at === null ? 'unknown' : <time dateTime={end.at}>{time(end.at)}</time>}</td>
            <td>
              <span class={`tag ${end.ending ?? ''}`}>{endingText(end)}</span>
              {end.ending === 'replayed' && <span class="queue"> {end.to ?? queue}</span>}
            </td>
            <td>{end.by ?? <span class="muted">unknown</span>}</td>
            <td>
              <a href={linkTo(`letters/${offset}`, { gone: 'yes' })}>{id}</a>
              <span class="meta">
                <span class="queue">{queue}</span> <span class="error">{error ?? reason}</span>
              </span>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** What happened to a dead letter, in few words. */
const endingText = ({ ending }: LetterEnd): string =>
  ending === 'replayed' ? 'replayed to' : (ending ?? 'taken by another program');

/** How a dead letter went, as a sentence of its own page. */
export function EndNote({ end, queue }: { end: LetterEnd | null; queue: string }) {
  if (end === null) return <p class="note">It was replayed or dropped.</p>;
  const { ending, at, to, by } = end;
  return (
    <p class="note">
      {ending === null &&
        'It is gone: another program took it, or a command was killed before it recorded what it did'}
      {ending === 'dropped' && 'It was dropped'}
      {ending === 'replayed' && (
        <>
          It was replayed to <span class="queue">{to ?? queue}</span>
        </>
      )}
      {by !== null && ` by ${by}`}
      {at !== null && (
        <>
          {ending === null ? ', as found ' : ' on '}
          <When at={at} isWhole />
        </>
      )}
      .
    </p>
  );
}
