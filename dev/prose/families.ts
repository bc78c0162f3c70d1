/** A group of words whose rate is measured. */
export interface Family {
  readonly name: string;
  /** Lowercase; matched as whole words. */
  readonly words: readonly string[];
  /** Highest rate per 1,000 words of a category; undefined for a family that is measured for information only. */
  readonly limit?: number;
}

/**
 * The families that CONTRIBUTING.md names. Each limit is twice the highest rate measured in the comments of comparable
 * projects (1.8, 0.2 and 0.6). Those projects use `if` and `when` 17 to 34 times per 1,000 words.
 */
export const families: readonly Family[] = [
  { name: 'where', words: ['where'], limit: 3.6 },
  { name: 'nobody', words: ['nobody', 'whoever', 'somebody'], limit: 0.4 },
  {
    name: 'tell/say',
    words: ['tell', 'tells', 'told', 'telling', 'say', 'says', 'said', 'saying'],
    limit: 1.2,
  },
  { name: 'if/when', words: ['if', 'when'] },
];

/** Words and phrases that fail the check at any rate. */
export const banned: readonly string[] = ['whoever', 'manieth', 'at the most'];

/** A word of a family, or a banned phrase, in a text. */
export interface Match {
  /** As written, for example `Where`. */
  readonly word: string;
  /** Offset in UTF-16 units. */
  readonly index: number;
}

// A character on either side that makes the word a part of an identifier, a path, a property or a call.
const notBefore = String.raw`(?<![\p{L}\p{N}_$@.#/-])`;
const notAfter = String.raw`(?![\p{L}\p{N}_$(/-]|[.:=][\p{L}\p{N}_])`;

function wholeWords(words: readonly string[]): RegExp {
  const alternatives = words.map((word) => word.replaceAll(' ', String.raw`\s+`)).join('|');
  return new RegExp(`${notBefore}(?:${alternatives})${notAfter}`, 'giu');
}

const sqlKeyword = 'WHERE';
const patterns = new Map(families.map((family) => [family, wholeWords(family.words)]));
const bannedPattern = wholeWords(banned);

/** Finds the words of a family that are prose: not a part of an identifier, and not the `WHERE` of SQL. */
export function matchesOf(family: Family, prose: string): Match[] {
  return matchAll(patterns.get(family) ?? wholeWords(family.words), prose);
}

/** Finds the phrases that fail at any rate. */
export function bannedIn(prose: string): Match[] {
  return matchAll(bannedPattern, prose);
}

/** Counts the words of a text; `wait-for` and `don't` are one word each. */
export function countWords(prose: string): number {
  return prose.match(/[\p{L}\p{N}_]+(?:['’-][\p{L}\p{N}_]+)*/gu)?.length ?? 0;
}

function matchAll(pattern: RegExp, prose: string): Match[] {
  return [...prose.matchAll(pattern)]
    .map(({ 0: word, index }) => ({ word, index }))
    .filter(({ word }) => word !== sqlKeyword);
}
