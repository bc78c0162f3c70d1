/** Deeper than any real message. Recursion over a value exhausts the stack at some thousands of levels. */
export const maxNested = 100;

/**
 * Parses JSON (RFC 8259) from an untrusted sender.
 *
 * @throws SyntaxError if the text is not JSON, or arrays and objects are nested more than 100 levels deep.
 */
export function parseJson(text: string): unknown {
  const value = JSON.parse(text) as unknown;
  // Each level of nesting takes two characters.
  if (text.length > 2 * maxNested) assertFlat(text);
  return value;
}

/** @param text JSON; brackets in strings are ignored. */
function assertFlat(text: string): void {
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (char === '"') {
      for (at += 1; text[at] !== '"'; at += 1) if (text[at] === '\\') at += 1;
    } else if (char === '[' || char === '{') {
      depth += 1;
      if (depth > maxNested) throw new SyntaxError(`expected JSON nested at most ${maxNested} deep`);
    } else if (char === ']' || char === '}') depth -= 1;
  }
}
