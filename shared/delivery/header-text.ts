import { textHash } from './text-hash.ts';

/**
 * The text of a mail header without control characters and line breaks, each of which becomes a space: a header ends at a
 * line break, and SMTP carries no NUL (RFC 5321, 4.5.2).
 */
export function headerText(text: string): string {
  return text
    .replace(/\p{Cs}/gu, '\ufffd')
    .replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .trim();
}

/**
 * A key as the value of an HTTP header: the key itself if it consists of visible ASCII characters, else its hash, so that
 * the same key is always the same value. A producer's message id is part of such keys, and it may contain anything.
 */
export function headerKey(key: string): string {
  return /^[!-~]{1,255}$/.test(key) ? key : textHash(key);
}

/**
 * A stranger's text for people to read: control characters except tabs and line breaks become their visible symbols
 * (U+2400 to U+2421), because mail servers and webhooks refuse them.
 */
export function visibleText(text: string): string {
  return text
    .replaceAll('\r\n', '\n')
    .replace(/\p{Cs}/gu, '\ufffd')
    .replace(/\p{Cc}/gu, visible);
}

function visible(char: string): string {
  if (char === '\t' || char === '\n') return char;
  const code = char.charCodeAt(0);
  if (code === 0x7f) return '\u2421';
  return code < 0x20 ? String.fromCharCode(0x2400 + code) : '\ufffd';
}
