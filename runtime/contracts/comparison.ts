import type { Misfit } from './misfit.ts';

/** Misfits of a pair of schemas, with paths from the pair. */
export type Found = readonly Misfit[];

/** Most misfits that a pair keeps for the further places at which it occurs. */
const most = 100;

/**
 * Compares each pair of schemas once, because schemas may contain themselves and each other in any number of ways: a comparison of each
 * way would take more than exponential time.
 *
 * A pair that occurs within itself is taken to fit. If it turns out that it does not, everything is compared again with that known.
 */
export class Comparison {
  /** Pairs that occur within themselves and do not fit, each with one misfit. */
  readonly #misfitting = new Map<string, Misfit>();
  readonly #results = new Map<string, Found>();
  /** Pairs that were taken to fit while they were compared. */
  readonly #assumed = new Set<string>();
  /** The pairs that are being compared. */
  readonly #open = new Set<string>();

  /**
   * Runs a comparison until no pair was taken to fit that does not.
   *
   * @returns its misfits, without those at places within a pair that contains itself if there are others.
   */
  run(compare: () => Found): Misfit[] {
    for (;;) {
      this.#results.clear();
      this.#assumed.clear();
      const found = compare();
      const wrong = [...this.#assumed].filter((pair) => !this.#misfitting.has(pair) && this.#first(pair));
      for (const pair of wrong) this.#misfitting.set(pair, this.#first(pair) as Misfit);
      if (wrong.length > 0) continue;
      const outer = found.filter(({ isRepeated }) => !isRepeated);
      return (outer.length > 0 ? outer : found).map(({ isRepeated: _, ...misfit }) => misfit);
    }
  }

  /** @param compare compares the pair, from an empty path; it is not called for a pair that is being compared, or was. */
  once(pair: string, compare: () => Found): Found {
    const known = this.#results.get(pair);
    if (known) return known;
    if (this.#open.has(pair)) {
      const misfit = this.#misfitting.get(pair);
      if (misfit) return [{ ...misfit, isRepeated: true }];
      this.#assumed.add(pair);
      return [];
    }
    this.#open.add(pair);
    const found = compare().slice(0, most);
    this.#open.delete(pair);
    this.#results.set(pair, found);
    return found;
  }

  #first(pair: string): Misfit | undefined {
    return this.#results.get(pair)?.[0];
  }
}
