/** Deeper than anybody means it; what walks through a value by recursion runs out of stack at some thousands. */
export const mostNested = 100;

/**
 * Parses JSON (RFC 8259) that comes from a stranger.
 *
 * @throws SyntaxError where it isn't JSON, or arrays and objects are nested more than 100 deep.
 */
export function parseJson(text: string): unknown {
  const value = JSON.parse(text) as unknown;
  // What is nested so deep takes two characters a level.
  if (text.length > 2 * mostNested) assertFlat(text);
  return value;
}

/** @param text JSON; brackets within strings don't count. */
function assertFlat(text: string): void {
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (char === '"') {
      for (at += 1; text[at] !== '"'; at += 1) if (text[at] === '\\') at += 1;
    } else if (char === '[' || char === '{') {
      depth += 1;
      if (depth > mostNested) throw new SyntaxError(`expected JSON nested at most ${mostNested} deep`);
    } else if (char === ']' || char === '}') depth -= 1;
  }
}
