/** Versions that an alias names, by the deployed name of the function. */
export type Versions = Readonly<Record<string, string>>;

/** What was live after a deployment that succeeded. */
export interface Entry {
  /** ISO 8601. */
  at: string;
  versions: Versions;
}

/** Deployments that can be restored; the oldest is dropped first. */
const kept = 10;

/** Adds what is live now, unless it was live before. A failed deployment adds nothing, although it published versions. */
export function recorded(history: readonly Entry[], versions: Versions, at: Date): Entry[] {
  const last = history.at(-1);
  if (last && isSame(last.versions, versions)) return [...history];
  return [...history, { at: at.toISOString(), versions }].slice(-kept);
}

/**
 * What was live before what is live now. Functions that were deployed later have no former version, and stay.
 *
 * @returns undefined if nothing else was live.
 */
export function formerOf(history: readonly Entry[], now: Versions): Entry | undefined {
  return history.findLast(({ versions }) => !isSame(overlap(versions, now), overlap(now, versions)));
}

/** The history after an entry was restored: what came later is not restored by the next time. */
export function restored(history: readonly Entry[], entry: Entry): Entry[] {
  return history.slice(0, history.indexOf(entry) + 1);
}

function isSame(one: Versions, other: Versions): boolean {
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...names].every((name) => one[name] === other[name]);
}

function overlap(versions: Versions, others: Versions): Versions {
  return Object.fromEntries(Object.entries(versions).filter(([name]) => Object.hasOwn(others, name)));
}
