import type { LiveQueue } from '../../api-live-types.ts';
import { count, whole } from '../format.tsx';

/** The partitions of queues with `orderBy` or `perKey`, with the keys that workers have in hand. */
export function Partitions({ queues }: { queues: LiveQueue[] }) {
  return (
    <>
      {queues.map(
        ({ name, partitions }) =>
          partitions && <PartitionTable name={name} partitions={partitions} key={name} />,
      )}
    </>
  );
}

function PartitionTable({
  name,
  partitions,
}: {
  name: string;
  partitions: NonNullable<LiveQueue['partitions']>;
}) {
  const hasParked = partitions.some(({ parked }) => parked !== null);
  const hasKeys = partitions.some(({ keys }) => keys !== null);
  const id = `partitions-${name}`;
  return (
    <section aria-labelledby={id}>
      <h2 id={id}>Partitions of {name}</h2>
      <p class="muted">
        {hasKeys
          ? 'Keys are counted with what their first message does in a worker.'
          : 'Their keys are known with --metrics of the workers.'}
      </p>
      <table class="rows numbers">
        <thead>
          <tr>
            <th scope="col">Partition</th>
            <th scope="col">Waiting</th>
            <th scope="col">In flight</th>
            {hasParked && <th scope="col">Over their share</th>}
            <th scope="col">Keys that run</th>
            <th scope="col">Keys that wait</th>
            <th scope="col">Keys that retry</th>
          </tr>
        </thead>
        <tbody>
          {partitions.map((each) => (
            <tr key={each.name}>
              <th scope="row">{each.name}</th>
              <td data-name="waiting">{count(each.waiting)}</td>
              <td data-name="in flight">{whole(each.in_flight)}</td>
              {hasParked && <td data-name="over their share">{whole(each.parked)}</td>}
              <td data-name="keys that run">{whole(each.keys?.running ?? null)}</td>
              <td data-name="wait">{whole(each.keys?.waiting ?? null)}</td>
              <td data-name="retry" class={each.keys?.retrying ? 'bad' : ''}>
                {whole(each.keys?.retrying ?? null)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
