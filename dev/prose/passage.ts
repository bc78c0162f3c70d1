/** Kind of prose. Each has its own rates, because a limit over all of them would let many good pages hide bad comments. */
export type Category = 'comments' | 'docs' | 'test titles' | 'messages';

/** The categories in the order in which they are reported. */
export const categories: readonly Category[] = ['comments', 'docs', 'test titles', 'messages'];

/** Continuous prose in a file: a comment, a page, or a string. */
export interface Passage {
  readonly category: Category;
  /** Offset of its first character in the file, in UTF-16 units. */
  readonly start: number;
  /** The source, including markers and code. */
  readonly text: string;
  /** The same source with blanks for everything that is not prose; as long as `text`, with the same line breaks. */
  readonly prose: string;
}

/** Replaces each match by blanks, so that offsets and line numbers stay as they are. */
export function blank(text: string, ...patterns: readonly RegExp[]): string {
  return patterns.reduce(
    (rest, pattern) => rest.replace(pattern, (match) => match.replace(/[^\n]/g, ' ')),
    text,
  );
}

// A fence may be indented in a list and has to be closed by one that is at least as long; without one it ends with the text.
const fencedCode = /^([ \t>*]*)(`{3,}|~{3,})[^\n]*\n(?:[\s\S]*?\n)??[ \t>*]*\2[`~]*[ \t]*$/gm;
const unclosedFence = /^[ \t>*]*(?:`{3,}|~{3,})[\s\S]*/gm;
// A code span ends at a run of backticks of the same length, in the same paragraph.
const codeSpan = /(?<!`)(`+)(?!`)(?:(?!\n[ \t*/#]*\n)[\s\S])+?(?<!`)\1(?!`)/g;
const address = /\b[a-z][a-z+]*:\/\/[^\s)>\]"']+/gi;

/** Blanks what is code in any kind of prose: fenced blocks, code spans and addresses. */
export function blankCode(text: string): string {
  return blank(text, fencedCode, unclosedFence, codeSpan, address);
}

/** Makes the passage of a comment: `start` to `end` in the source, including the markers. */
export function comment(source: string, start: number, end: number): Passage {
  const text = source.slice(start, end);
  const unmarked = blank(
    text,
    /^[ \t]*(?:\/\*+|\*+(?!\/)|\/\/+|#+!?)/gm,
    /\*+\/\s*$/g,
    /\{@\w+[^}]*\}/g,
    /@(?:param|property|template|typeParam)\s+(?:\{[^}]*\}\s*)?[\w.$[\]]+/g,
    /@\w+/g,
    /^[ \t]*biome-ignore [\w/]+:/gm,
  );
  return { category: 'comments', start, text, prose: blankCode(unmarked) };
}

/** Makes one passage of comments on consecutive lines, so that a sentence can run over several of them. */
export function joinLines(source: string, ranges: readonly [number, number][]): Passage[] {
  const joined: [number, number][] = [];
  for (const [start, end] of ranges) {
    const last = joined.at(-1);
    if (last && /^\r?\n[ \t]*$/.test(source.slice(last[1], start))) {
      last[1] = end;
    } else {
      joined.push([start, end]);
    }
  }
  return joined.map(([start, end]) => comment(source, start, end));
}
