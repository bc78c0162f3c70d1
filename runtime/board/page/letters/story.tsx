import type { ComponentChildren } from 'preact';
import type { Letter } from '../../api-types.ts';
import { count, When } from '../format.tsx';
import { meaningOf, Reason } from './reason.tsx';

/** An entry of RabbitMQ's `x-death`, the latest first. */
interface Death {
  queue?: string;
  reason?: string;
  count?: number;
  exchange?: string;
  time?: string | { value?: number };
}

/** What happened to a message, the oldest event first. */
export function Story({ letter }: { letter: Letter }) {
  const { exchange, routingKey, queue, attempts, reason, firstFailedAt, lastFailedAt, headers } = letter;
  const deaths = Array.isArray(headers['x-death']) ? (headers['x-death'] as Death[]) : [];
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
        {[...deaths].reverse().map((death) => (
          <Event key={`${death.queue} ${death.reason}`} title={`Left ${death.queue ?? 'a queue'}`}>
            {death.reason} {death.count !== undefined && death.count > 1 && `${count(death.count)} times`}{' '}
            {timeOf(death) && <When at={timeOf(death)} isWhole />}
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

function timeOf({ time }: Death): string | undefined {
  if (typeof time === 'string') return time;
  return time?.value === undefined ? undefined : new Date(time.value * 1000).toISOString();
}
