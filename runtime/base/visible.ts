/**
 * Control characters (C0 except tab and line feed, DEL, C1) and those that turn the direction of text. In a terminal they move
 * the cursor, color the text, or show it in another order.
 */
const hidden = /[^\P{Cc}\n\t]|[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/** Escapes control characters of an untrusted sender's text as in JSON: `\u001b`. Tabs and line feeds stay. */
export function escapeControls(text: string): string {
  return text.replace(hidden, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** As `escapeControls`, for one line: white space becomes one space. */
export function escapeInLine(text: string): string {
  return escapeControls(text.replace(/\s+/g, ' '));
}
