import type { ComponentChildren } from 'preact';
import type { Letter } from '../../api-types.ts';
import { count, When } from '../format.tsx';
import { meaningOf, Reason } from './reason.tsx';

/** An entry of RabbitMQ's `x-death`, the latest first. */
interface Death {
  queue: string | undefined;
  reason: string | undefined;
  count: number | undefined;
  at: string | undefined;
}

/** What happened to a message, the oldest event first. */
export function Story({ letter }: { letter: Letter }) {
  const { exchange, routingKey, queue, attempts, reason, firstFailedAt, lastFailedAt, headers } = letter;
  const deaths = deathsIn(headers['x-death']);
  const between = (attempts ?? 0) - (firstFailedAt && firstFailedAt !== lastFailedAt ? 2 : 1);
  return (
    <section aria-labelledby="story-title">
      <h2 id="story-title">Story</h2>
      <ol class="story">
        {exchange !== undefined && (
          <Event title="Published">
            to {exchange === '' ? 'the default exchange' : <code>{exchange}</code>} with the key{' '}
            <code>{routingKey ?? ''}</code>
          </Event>
        )}
        <Event title="Routed">
          to the queue <span class="queue">{queue}</span>
        </Event>
        {firstFailedAt !== undefined && firstFailedAt !== lastFailedAt && (
          <Event title="Attempt 1 failed">
            <When at={firstFailedAt} isWhole />
          </Event>
        )}
        {between > 0 && (
          <Event title={between === 1 ? 'Retried once' : `Retried ${count(between)} times`}>
            each attempt failed, after a growing delay
          </Event>
        )}
        {deaths.reverse().map((death, n) => (
          <Event key={n} title={`Left ${death.queue ?? 'a queue'}`}>
            {death.reason} {death.count !== undefined && death.count > 1 && `${count(death.count)} times`}{' '}
            {death.at !== undefined && <When at={death.at} isWhole />}
          </Event>
        ))}
        <Event title={attempts ? `Attempt ${count(attempts)} failed` : 'Failed'} isLast>
          <When at={lastFailedAt} isWhole />; dead-lettered as <Reason reason={reason} />
          {meaningOf(reason) !== undefined && `: ${meaningOf(reason)}`}
        </Event>
      </ol>
    </section>
  );
}

interface EventProps {
  title: string;
  children: ComponentChildren;
  isLast?: boolean;
}

function Event({ title, children, isLast = false }: EventProps) {
  return (
    <li class={isLast ? 'last' : ''}>
      <strong>{title}</strong> <span>{children}</span>
    </li>
  );
}

/** Another program may have written the header in any form. */
function deathsIn(header: unknown): Death[] {
  return Array.isArray(header) ? header.map(deathOf) : [];
}

function deathOf(entry: unknown): Death {
  const { queue, reason, count, time } = Object(entry) as Record<string, unknown>;
  return {
    queue: typeof queue === 'string' ? queue : undefined,
    reason: typeof reason === 'string' ? reason : undefined,
    count: typeof count === 'number' ? count : undefined,
    at: timeOf(time),
  };
}

/** A time as text, or in amqplib's form of a timestamp, in seconds. */
function timeOf(time: unknown): string | undefined {
  if (typeof time === 'string') return time;
  const { value } = Object(time) as { value?: unknown };
  const at = new Date(typeof value === 'number' ? value * 1000 : Number.NaN);
  return Number.isNaN(at.getTime()) ? undefined : at.toISOString();
}
