import { readEach } from '../../runtime/dead-letters/visit.ts';
import type { Accepted } from './accepted.ts';
import type { Count } from './compare.ts';
import { recovering } from './count-calls.ts';
import type { Struck } from './course.ts';
import type { Runs } from './runs.ts';

/** A message that has to be dead-lettered, at one queue. */
interface Wanted {
  /** How often it was published. */
  times: number;
  /** Whether it may also have been done. */
  optional?: boolean;
  /** When it was published first and last, in milliseconds since 1970. */
  from: number;
  to: number;
  /** When its copies failed; only these are kept, and not the dead letters themselves. */
  failedAt: number[];
}

/** Dead letters that the harness can hold at a time, unacknowledged. */
const prefetch = 1000;

/**
 * Exactly the messages that can never work were dead-lettered, once for each time they were published. A further copy needs a
 * fault during which the message was published or failed: only then may a confirm or an acknowledgement have been lost.
 */
export async function countDeadLetters(
  url: string,
  { accepted, runs }: { accepted: Accepted; runs: ReadonlyMap<string, Runs> },
  struck: readonly Struck[],
): Promise<Count> {
  const wanted = wantedLetters(accepted);
  const problems: string[] = [];
  let got = 0;
  await readEach(
    url,
    {},
    ({ queue, id, reason, error, lastFailedAt }) => {
      got += 1;
      const known = wanted.get(`${queue} ${id}`);
      // Without the time, no fault excuses a copy.
      known?.failedAt.push(lastFailedAt === undefined ? 0 : Date.parse(lastFailedAt));
      if (!known) problems.push(`unexpected: ${queue} ${id}, ${reason}: ${error}`);
      return true;
    },
    { prefetch },
  );
  const near = (from: number, to: number) =>
    struck.some((each) => each.from <= to && each.to + recovering >= from);
  for (const [key, { times, from, to, failedAt, optional }] of wanted) {
    if (failedAt.length < times && !optional) problems.push(`${times - failedAt.length} missing: ${key}`);
    const more = failedAt.length - times;
    const excused = near(from, to) ? more : failedAt.filter((at) => near(at, at)).length;
    if (more > excused) problems.push(`${failedAt.length} times, published ${times} times: ${key}`);
  }
  for (const { id, queue, end } of accepted.messages) {
    const isDone = (runs.get(id)?.done.length ?? 0) > 0;
    const isDead = (wanted.get(`${queue} ${id}`)?.failedAt.length ?? 0) > 0;
    if (end === 'done' ? !isDone : !isDone && !isDead) problems.push(`not done: ${queue} ${id}`);
  }
  const sum = (of: Wanted[]) => of.reduce((total, { times }) => total + times, 0);
  const least = sum([...wanted.values()].filter(({ optional }) => !optional));
  const most = sum([...wanted.values()]);
  const expected = most === least ? least : `${least} to ${most}`;
  return { what: 'dead letters', expected, got, problems };
}

/** What is no picture fails at one queue, what is no JSON at each queue that it came to. */
function wantedLetters({ pictures, alerts, messages }: Accepted): Map<string, Wanted> {
  const wanted = new Map<string, Wanted>();
  for (const { id, photo, published } of pictures) {
    if (!photo) wanted.set(`resize-picture picture-${id}`, { ...published, failedAt: [] });
  }
  for (const { id, queue, end, published } of messages) {
    if (end === 'done') continue;
    wanted.set(`${queue} ${id}`, { ...published, failedAt: [], optional: end === 'either' });
  }
  for (const { id, good, routingKey, published } of alerts) {
    if (good) continue;
    const queues = [
      ...(/^critical\./.test(routingKey) ? ['critical'] : []),
      ...(/\.rate_limit$/.test(routingKey) ? ['rate_limit'] : []),
      'alert-log',
    ];
    for (const queue of queues) wanted.set(`${queue} ${id}`, { ...published, failedAt: [] });
  }
  return wanted;
}
