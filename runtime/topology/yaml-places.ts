import { readFile } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type YAMLMap,
} from 'yaml';
import { type PathPart, ProblemsError } from '../base/problems.ts';

/**
 * Reads a YAML file by some work, and adds file and line to the problems that the work finds in it.
 *
 * @param file path of the file.
 * @throws what `work` throws, a ProblemsError with places.
 */
export async function withPlaces<T>(file: string, work: () => Promise<T> | T): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ProblemsError)) throw error;
    const text = await readFile(file, 'utf8').catch(() => undefined);
    // A file that cannot be read has no lines; the problems remain.
    throw text === undefined ? error : error.placed(placesIn(text, relative('', resolve(file))));
  }
}

/** Finds the place of a path in a text: of its last part that the text contains. */
function placesIn(text: string, name: string) {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, merge: true });
  return (path: readonly PathPart[]): string | undefined => {
    const offset = offsetOf(document, path);
    if (offset === undefined) return undefined;
    const { line, col } = lines.linePos(offset);
    return `${name}:${line}:${col}`;
  };
}

function offsetOf(document: Document, path: readonly PathPart[]): number | undefined {
  let node = document.contents as Node | null | undefined;
  let offset: number | undefined;
  for (const part of path) {
    const found = partOf(document, node, part);
    if (!found) break;
    offset = found.at ?? offset;
    node = found.value;
  }
  return offset;
}

/** Takes over the keys of another map (YAML 1.1). */
const mergeKey = '<<';

interface Found {
  at: number | undefined;
  value: Node | null | undefined;
}

function partOf(document: Document, given: Node | null | undefined, part: PathPart): Found | undefined {
  const node = isAlias(given) ? given.resolve(document) : given;
  if (isMap(node)) {
    const pair = pairsOf(node, String(part))[0];
    if (pair) return { at: (pair.key as Node).range?.[0], value: pair.value as Node | null };
    return mergedInto(document, node)
      .map((merged) => partOf(document, merged, part))
      .find((found) => found !== undefined);
  }
  if (!isSeq(node)) return undefined;
  const items = node.items as Node[];
  const having = (name: string) => items.filter((each) => partOf(document, each, name));
  const value = typeof part === 'object' ? having(part.having)[part.nth] : items[Number(part)];
  return value && { at: value.range?.[0], value };
}

/** The parser replaces the value of a merge key by a symbol. */
const pairsOf = (map: YAMLMap, name: string) =>
  map.items.filter(
    ({ key }) => isScalar(key) && (name === mergeKey ? key.source : String(key.value)) === name,
  );

/** The maps whose keys a map takes over: `<<: *a`, or `<<: [*a, *b]`. */
function mergedInto(document: Document, map: YAMLMap): Node[] {
  return pairsOf(map, mergeKey).flatMap(({ value }) => {
    const node = isAlias(value) ? value.resolve(document) : value;
    return isSeq(node) ? (node.items as Node[]) : [node as Node];
  });
}
