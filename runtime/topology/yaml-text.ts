import { relative, resolve } from 'node:path';
import { type Document, isAlias, LineCounter, parseDocument, visit } from 'yaml';
import { WarrenError } from '../base/errors.ts';

/**
 * Reads YAML without resolving the variables and tags of serverless.
 *
 * @param file path of the file with the text, for errors.
 * @throws WarrenError ERR_TOPOLOGY with file, line and column of the first mistake.
 */
export function parseYaml(text: string, file: string): unknown {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, merge: true, prettyErrors: false });
  const name = relative('', resolve(file));
  const fail = (offset: number, problem: string): never => {
    const { line, col } = lines.linePos(offset);
    throw new WarrenError('ERR_TOPOLOGY', `${name}:${line}:${col}: ${problem}`);
  };
  const [error] = document.errors;
  if (error) fail(error.pos[0], texts[error.code] ?? error.message);
  checkAliases(document, fail);
  try {
    return document.toJS();
  } catch (cause) {
    throw new WarrenError('ERR_TOPOLOGY', `${name}: ${(cause as Error).message}`, { cause });
  }
}

/** Texts in place of those that advise the users of the parser. */
const texts: Readonly<Record<string, string>> = {
  MULTIPLE_DOCS: 'expected one document, got another one after "---"',
};

/** The parser leaves unknown anchors to its users. One walk, because `Alias.resolve` walks through the document for each alias. */
function checkAliases(document: Document, fail: (offset: number, problem: string) => never): void {
  const anchors = new Set<string>();
  visit(document, {
    Node: (_key, node) => {
      if (!isAlias(node)) {
        if (node.anchor !== undefined) anchors.add(node.anchor);
        return;
      }
      if (anchors.has(node.source)) return;
      const problem = `expected an anchor "&${node.source}" before the alias "*${node.source}"`;
      fail(node.range?.[0] ?? 0, problem);
    },
  });
}
