import type { Passage } from './passage.ts';

const longest = 160;
// The end of a sentence, an empty line, or the next row, item or heading of a page.
const boundary = /[.!?]["')*]*(?=\s)|\n[ \t]*(?=\n)|\n[ \t]*(?=(?:[-+|#]|\d+\.)[ \t|#])/g;

/**
 * The sentence around a match, on one line and without the markers of comments.
 * @param index offset of the match in the passage
 * @returns at most about 160 characters; an ellipsis stands for the rest
 */
export function sentenceAt({ text, prose }: Passage, index: number): string {
  let start = 0;
  let end = text.length;
  for (const match of prose.matchAll(boundary)) {
    const after = match.index + match[0].length;
    if (after <= index) {
      start = after;
    } else {
      end = after;
      break;
    }
  }
  const from = Math.max(start, end - start > longest ? index - longest / 2 : start);
  const to = Math.min(end, from + longest);
  const line = text
    .slice(from, to)
    .replace(/\n[ \t]*(?:\*+(?!\/)|\/\/+|#+ )?/g, ' ')
    .replace(/^\s*(?:\/\*+|\/\/+|\*|#+) ?|\s*\*\/\s*$/g, '')
    .replace(/\s+/g, ' ')
    .trim();
  return `${from > start ? '…' : ''}${line}${to < end ? '…' : ''}`;
}
