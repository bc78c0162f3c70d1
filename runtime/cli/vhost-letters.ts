import type { DeadLetter } from '../dead-letters/dead-letter.ts';
import {
  type DeadLetterGroup,
  type DeadLetterKey,
  dropDeadLetters,
  listDeadLetters,
  surveyDeadLetters,
} from '../dead-letters/dead-letters.ts';
import { type ReplayOptions, replayDeadLetters, type Stayed } from '../dead-letters/replay.ts';
import type { DeadLetterFilter } from '../dead-letters/visit.ts';
import { inEach, type Vhost } from './vhosts.ts';

/** Something of the dead letters of a virtual host. */
export type InVhost<Thing> = Thing & { vhost: string };

const of =
  ({ name }: Vhost) =>
  <Thing extends object>(thing: Thing): InVhost<Thing> => ({ ...thing, vhost: name });

export interface Overview {
  total: number;
  groups: InVhost<DeadLetterGroup>[];
  letters: InVhost<DeadLetter>[];
}

/** As `surveyDeadLetters`, in all of the virtual hosts. */
export async function surveyEach(
  vhosts: readonly Vhost[],
  filter: DeadLetterFilter,
  limit: number,
): Promise<Overview> {
  const found = await inEach(vhosts, async (vhost) => {
    const { total, groups, letters } = await surveyDeadLetters(vhost.url, filter, limit);
    return { total, groups: groups.map(of(vhost)), letters: letters.map(of(vhost)) };
  });
  const letters = found.flatMap((each) => each.letters);
  // Each list is in the order of its queue. Times in ISO 8601 sort as text.
  const at = ({ lastFailedAt = '' }: DeadLetter) => lastFailedAt;
  if (vhosts.length > 1) letters.sort((a, b) => at(a).localeCompare(at(b)));
  return {
    total: found.reduce((sum, { total }) => sum + total, 0),
    groups: found.flatMap(({ groups }) => groups).sort((a, b) => b.count - a.count),
    letters: letters.slice(0, limit),
  };
}

/** As `listDeadLetters`, in all of the virtual hosts. */
export async function listEach(
  vhosts: readonly Vhost[],
  filter: DeadLetterFilter,
): Promise<InVhost<DeadLetter>[]> {
  const found = await inEach(vhosts, async (vhost) =>
    (await listDeadLetters(vhost.url, filter)).map(of(vhost)),
  );
  return found.flat();
}

/** As `replayDeadLetters`, in all of the virtual hosts: each dead letter stays in its own. */
export async function replayEach(
  vhosts: readonly Vhost[],
  filter: DeadLetterFilter,
  { limit, ...options }: ReplayOptions,
): Promise<{ replayed: InVhost<DeadLetterKey>[]; stayed: InVhost<Stayed>[] }> {
  const replayed: InVhost<DeadLetterKey>[] = [];
  const stayed: InVhost<Stayed>[] = [];
  await inEach(vhosts, async (vhost) => {
    const left = limit === undefined ? undefined : limit - replayed.length;
    if (left === 0) return;
    const done = await replayDeadLetters(vhost.url, filter, { ...options, limit: left });
    replayed.push(...done.replayed.map(of(vhost)));
    stayed.push(...done.stayed.map(of(vhost)));
  });
  return { replayed, stayed };
}

/**
 * As `dropDeadLetters`, in all of the virtual hosts.
 *
 * @param agreed maximum number for a virtual host, default all.
 */
export async function dropEach(
  vhosts: readonly Vhost[],
  filter: DeadLetterFilter,
  agreed: (vhost: string) => number = () => Number.POSITIVE_INFINITY,
): Promise<InVhost<DeadLetterKey>[]> {
  const dropped = await inEach(vhosts, async (vhost) => {
    const max = agreed(vhost.name);
    return max > 0 ? (await dropDeadLetters(vhost.url, filter, max)).map(of(vhost)) : [];
  });
  return dropped.flat();
}
