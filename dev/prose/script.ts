import { parseSync } from 'rolldown/utils';
import { messageLiterals } from './messages.ts';
import { blank, blankCode, type Category, comment, joinLines, type Passage } from './passage.ts';
import { firstName, isNode, type Node, nodes, walk } from './syntax.ts';

/**
 * Reads the comments, test titles and messages of a TypeScript or JavaScript file. A parser finds them, because a `//` in a
 * string, a template or a regular expression starts no comment.
 * @param file its name decides which syntax is expected, and whether it has test titles
 * @throws SyntaxError if the file can't be parsed
 */
export function scriptPassages(file: string, source: string): Passage[] {
  const { program, comments, errors } = parseSync(file, source);
  if (errors[0]) {
    throw new SyntaxError(`${file}: ${errors[0].message}`);
  }
  const root: unknown = program;
  if (!isNode(root)) {
    throw new SyntaxError(`${file}: expected a program, got ${typeof root}`);
  }
  const lines: [number, number][] = [];
  const passages: Passage[] = [];
  for (const { type, start, end } of comments) {
    if (type === 'Line') {
      lines.push([start, end]);
    } else {
      passages.push(comment(source, start, end));
    }
  }
  const read = (literal: Node) => string('messages', source, literal).prose;
  const titles = /(?:^|\/)test\//.test(file) || file.includes('.test.') ? testTitles(root) : [];
  const starts = new Set(titles.map(({ start }) => start));
  const messages = messageLiterals(root, read).filter(({ start }) => !starts.has(start));
  return [
    ...passages,
    ...joinLines(source, lines),
    ...titles.map((literal) => string('test titles', source, literal)),
    ...messages.map((literal) => string('messages', source, literal)),
  ];
}

const testFunctions = new Set(['it', 'test', 'describe', 'suite', 'bench']);

/** First arguments of `it`, `test` and `describe`, and of what `it.each(...)` and its like return. */
function testTitles(root: Node): Node[] {
  const titles: Node[] = [];
  walk(root, (node) => {
    if (node.type === 'CallExpression' && testFunctions.has(firstName(node['callee']) ?? '')) {
      const [title] = nodes(node['arguments']);
      if (title?.type === 'TemplateLiteral' || typeof title?.['value'] === 'string') {
        titles.push(title);
      }
    }
    return true;
  });
  return titles;
}

/** Makes the passage of a string or template literal: without quotes, escapes, `${...}` and the `%s` of titles. */
function string(category: Category, source: string, literal: Node): Passage {
  const text = source.slice(literal.start, literal.end);
  let outside = text.replaceAll('\\`', ' `');
  for (const { start, end } of nodes(literal['expressions'])) {
    const [from, to] = [start - literal.start, end - literal.start];
    outside = outside.slice(0, from) + blank(text.slice(from, to), /[\s\S]+/g) + outside.slice(to);
  }
  const prose = blank(outside, /^['"`]|['"`]$/g, /\$\{\s*\}/g, /\\(?:u\{?\w+\}?|x\w\w|.)/g, /%[sdifjo#%]/g);
  return { category, start: literal.start, text, prose: blankCode(prose) };
}
