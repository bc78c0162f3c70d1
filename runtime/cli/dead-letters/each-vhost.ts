import type { DeadLetter } from '../../dead-letters/dead-letter.ts';
import {
  type DeadLetterGroup,
  type DeadLetterKey,
  dropDeadLetters,
} from '../../dead-letters/dead-letters.ts';
import type { DeadLetterFilter } from '../../dead-letters/filter.ts';
import { type GoneLetter, goneLetters } from '../../dead-letters/gone-letters.ts';
import { type Reindexed, reindexDeadLetters } from '../../dead-letters/reindex.ts';
import { type ReplayOptions, replayDeadLetters, type Stayed } from '../../dead-letters/replay.ts';
import type { DeadLetterKind } from '../../dead-letters/summary.ts';
import type { Progress } from '../../dead-letters/take.ts';
import { inEach, type Vhost } from '../vhosts.ts';
import { type InVhost, withVhost } from './in-vhost.ts';
import { listIndexed, type Place, summarizeIndexed, surveyIndexed } from './indexed.ts';

/** Warnings name the virtual host if there are several. */
const placeOf = ({ name, url }: Vhost, vhosts: readonly Vhost[]): Place => ({
  url,
  where: vhosts.length > 1 ? `virtual host "${name}": ` : '',
});

export interface Overview {
  total: number;
  groups: InVhost<DeadLetterGroup>[];
  letters: InVhost<DeadLetter>[];
}

/** Counts the dead letters of all of the virtual hosts, and lists the oldest. */
export async function surveyEach(
  vhosts: readonly Vhost[],
  filter: DeadLetterFilter,
  limit: number,
): Promise<Overview> {
  const found = await inEach(vhosts, async (vhost) => {
    const { total, groups, letters } = await surveyIndexed(placeOf(vhost, vhosts), filter, limit);
    return { total, groups: groups.map(withVhost(vhost)), letters: letters.map(withVhost(vhost)) };
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

/** Groups the dead letters of all of the virtual hosts by virtual host, queue, reason and error, the largest group first. */
export async function summarizeEach(
  vhosts: readonly Vhost[],
  filter: DeadLetterFilter,
): Promise<InVhost<DeadLetterKind>[]> {
  const found = await inEach(vhosts, async (vhost) =>
    (await summarizeIndexed(placeOf(vhost, vhosts), filter)).map(withVhost(vhost)),
  );
  return found.flat().sort((a, b) => b.count - a.count);
}

/** Lists those that left the dead letters of all of the virtual hosts last, the latest first. */
export async function goneEach(vhosts: readonly Vhost[], limit: number): Promise<InVhost<GoneLetter>[]> {
  const found = await inEach(vhosts, async (vhost) =>
    (await goneLetters(vhost.url, limit)).map(withVhost(vhost)),
  );
  // Each list is in the order of its marks. Times in ISO 8601 sort as text.
  const gone = found.flat();
  if (vhosts.length > 1) gone.sort((a, b) => (b.goneAt ?? '').localeCompare(a.goneAt ?? ''));
  return gone.slice(0, limit);
}

/** Lists the dead letters of all of the virtual hosts. */
export async function listEach(
  vhosts: readonly Vhost[],
  filter: DeadLetterFilter,
): Promise<InVhost<DeadLetter>[]> {
  const found = await inEach(vhosts, async (vhost) =>
    (await listIndexed(placeOf(vhost, vhosts), filter)).map(withVhost(vhost)),
  );
  return found.flat();
}

/** As `reindexDeadLetters`, in all of the virtual hosts. */
export async function reindexEach(
  vhosts: readonly Vhost[],
  progress: Progress,
): Promise<InVhost<Reindexed>[]> {
  return inEach(vhosts, async (vhost) => withVhost(vhost)(await reindexDeadLetters(vhost.url, progress)));
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
    replayed.push(...done.replayed.map(withVhost(vhost)));
    stayed.push(...done.stayed.map(withVhost(vhost)));
  });
  return { replayed, stayed };
}

export interface DropOptions {
  /** Maximum number of dead letters to delete. */
  limit: number;
  /** Maximum number by virtual host, default all. */
  agreed?: ReadonlyMap<string, number> | undefined;
  progress: Progress;
}

/** As `dropDeadLetters`, in all of the virtual hosts. */
export async function dropEach(
  vhosts: readonly Vhost[],
  filter: DeadLetterFilter,
  { limit, agreed, progress }: DropOptions,
): Promise<InVhost<DeadLetterKey>[]> {
  const dropped: InVhost<DeadLetterKey>[] = [];
  await inEach(vhosts, async (vhost) => {
    const left = limit - dropped.length;
    const max = agreed ? Math.min(agreed.get(vhost.name) ?? 0, left) : left;
    if (max > 0)
      dropped.push(...(await dropDeadLetters(vhost.url, filter, max, progress)).map(withVhost(vhost)));
  });
  return dropped;
}
