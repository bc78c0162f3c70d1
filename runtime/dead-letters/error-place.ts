/** A line of a stack: the location after `at `, with or without the name of a function. */
const stackLine = /^[ \t]+at (.+)$/gm;
/** Locations in Node and in packages, which are the same for many errors. */
const foreign = /node:|node_modules|<anonymous>|^native\b/;

/**
 * Returns the first line of an error's stack in the project's own code, without `at`.
 *
 * @returns undefined if the text of the error has no such line.
 */
export function placeOf(error: string | undefined): string | undefined {
  for (const [, place] of error?.matchAll(stackLine) ?? []) {
    if (place !== undefined && !foreign.test(place)) return place;
  }
  return undefined;
}
