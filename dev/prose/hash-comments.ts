import { CST, Lexer } from 'yaml';
import { joinLines, type Passage } from './passage.ts';

/** Reads the comments of a shell script; a `#` inside a word, quotes or a here-document starts none. */
export function shellPassages(source: string, offset = 0): Passage[] {
  const ranges: [number, number][] = [];
  // In this order: an escape, quotes, a here-document up to its delimiter, a comment that starts a word.
  const tokens =
    /\\[\s\S]|'[^']*'|"(?:\\[\s\S]|[^"\\])*"|<<-?\s*(['"]?)(\w+)\1[\s\S]*?\n\s*\2(?=\n|$)|(?<=^|[\s;&|()])#[^\n]*/g;
  for (const { 0: token, index } of source.matchAll(tokens)) {
    if (token.startsWith('#') && !token.startsWith('#!')) {
      ranges.push([index, index + token.length]);
    }
  }
  return joinLines(source, ranges).map((passage) => ({ ...passage, start: passage.start + offset }));
}

const controlTokens: readonly string[] = [CST.DOCUMENT, CST.FLOW_END, CST.SCALAR];

/** Reads the comments of a YAML file, and those of the shell scripts in its block scalars. */
export function yamlPassages(source: string): Passage[] {
  const ranges: [number, number][] = [];
  const passages: Passage[] = [];
  let position = 0;
  let previous = '';
  for (const token of new Lexer().lex(source)) {
    if (!controlTokens.includes(token)) {
      if (previous === CST.SCALAR) {
        passages.push(...shellPassages(token, position));
      } else if (CST.tokenType(token) === 'comment') {
        ranges.push([position, position + token.length]);
      }
      position += token.length;
    }
    previous = token;
  }
  return [...joinLines(source, ranges), ...passages];
}
