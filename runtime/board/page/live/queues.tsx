import type { LiveLimit, LivePerKey, LiveQueue, LiveRetry } from '../../api-live-types.ts';
import { count, duration, rate, whole } from '../format.tsx';
import { linkTo } from '../route.ts';

interface TableProps {
  queues: LiveQueue[];
  /** The queue whose curves are shown. */
  chosen: string | undefined;
}

/** Each queue with its numbers. On a narrow screen, each row is a card. */
export function QueueTable({ queues, chosen }: TableProps) {
  return (
    <section aria-labelledby="queues-title">
      <h2 id="queues-title">Queues</h2>
      <table class="rows numbers">
        <thead>
          <tr>
            <th scope="col">Queue</th>
            <th scope="col">In per s</th>
            <th scope="col">Out per s</th>
            <th scope="col">Waiting</th>
            <th scope="col">In flight</th>
            <th scope="col">Oldest</th>
            <th scope="col">Retrying</th>
            <th scope="col">Consumers</th>
            <th scope="col">Dead letters</th>
          </tr>
        </thead>
        <tbody>
          {queues.map((each) => (
            <tr key={each.name} class={each.name === chosen ? 'is-chosen' : ''}>
              <th scope="row">
                {chosen === undefined ? (
                  each.name
                ) : (
                  <a
                    href={linkTo('live', { queue: each.name })}
                    aria-current={each.name === chosen ? 'true' : undefined}
                  >
                    {each.name}
                  </a>
                )}
                {each.functions.length > 0 && <span class="meta">{each.functions.join(', ')}</span>}
                {each.limit && <Limit limit={each.limit} />}
                {each.per_key && <KeyLimit limit={each.per_key} />}
              </th>
              <td data-name="in per s">{rate(each.rate_in)}</td>
              <td data-name="out per s">{rate(each.rate_out)}</td>
              <td data-name="waiting">{count(each.waiting)}</td>
              <td data-name="in flight">{whole(each.in_flight)}</td>
              <td data-name="oldest">{duration(each.oldest_age_ms)}</td>
              <td data-name="retrying">
                {whole(each.retrying)}
                {each.retries.length > 0 && <span class="meta">{levelsOf(each.retries)}</span>}
              </td>
              <td data-name="consumers" class={each.consumers === 0 && each.waiting > 0 ? 'bad' : ''}>
                {count(each.consumers)}
              </td>
              <td data-name="dead letters" class={each.dead_letters > 0 ? 'bad' : ''}>
                {each.dead_letters > 0 ? (
                  <a href={linkTo('letters', { queue: each.name })}>{count(each.dead_letters)}</a>
                ) : (
                  '0'
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** `8 in 10 s, 4 in 1 min` */
const levelsOf = (retries: LiveRetry[]): string =>
  retries.map(({ seconds, waiting }) => `${count(waiting)} in ${duration(seconds * 1000)}`).join(', ');

function Limit({ limit: { count: number, seconds, free, waiting } }: { limit: LiveLimit }) {
  const rest = waiting > 0 ? `${count(waiting)} wait for it` : `${whole(free)} free`;
  return (
    <span class={waiting > 0 ? 'meta bad' : 'meta'}>
      limit {count(number)} in {duration(seconds * 1000)}, {rest}
    </span>
  );
}

/** `each header.tenant: 2 at a time, 10 in 1 s, 744 wait aside` */
function KeyLimit({ limit: { of, concurrency, limit, waiting } }: { limit: LivePerKey }) {
  const parts = [
    ...(concurrency === null ? [] : [`${count(concurrency)} at a time`]),
    ...(limit ? [`${count(limit.count)} in ${duration(limit.seconds * 1000)}`] : []),
    ...(waiting > 0 ? [`${count(waiting)} wait aside`] : []),
  ];
  return (
    <span class={waiting > 0 ? 'meta bad' : 'meta'}>
      each {of}: {parts.join(', ')}
    </span>
  );
}
