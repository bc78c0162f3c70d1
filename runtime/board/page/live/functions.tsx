import type { LiveFunction } from '../../api-live-types.ts';
import { duration, rate } from '../format.tsx';

/** Messages have their time in whole seconds. */
const queueTime = (ms: number | null): string => (ms !== null && ms < 1000 ? '< 1 s' : duration(ms));

/** Each function with its calls, and with the times of their messages. */
export function FunctionTable({ functions }: { functions: LiveFunction[] }) {
  return (
    <section aria-labelledby="functions-title">
      <h2 id="functions-title">Functions</h2>
      <p class="muted">The last minute: half of the calls and messages took at most p50, 95 % at most p95.</p>
      <table class="rows numbers">
        <thead>
          <tr>
            <th scope="col">Function</th>
            <th scope="col">Calls per s</th>
            <th scope="col">Failures per s</th>
            <th scope="col">Call p50</th>
            <th scope="col">Call p95</th>
            <th scope="col">In queue p50</th>
            <th scope="col">In queue p95</th>
          </tr>
        </thead>
        <tbody>
          {functions.map((each) => (
            <tr key={each.name}>
              <th scope="row">{each.name}</th>
              <td data-name="calls per s">{rate(each.calls_per_s)}</td>
              <td data-name="failures per s" class={each.failures_per_s ? 'bad' : ''}>
                {rate(each.failures_per_s)}
              </td>
              <td data-name="call p50">{duration(each.p50_ms)}</td>
              <td data-name="call p95">{duration(each.p95_ms)}</td>
              <td data-name="in queue p50">{queueTime(each.queue_p50_ms)}</td>
              <td data-name="in queue p95">{queueTime(each.queue_p95_ms)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
