import { decodedJson, decodedText } from '../base/decoded-text.ts';
import { RejectedError } from '../base/errors.ts';
import { maxNested, maxValues, parseJson } from '../base/json.ts';
import { isJsonType } from '../base/json-type.ts';
import { thrownText } from '../base/thrown-text.ts';
import { isUnavailable } from '../base/unavailable.ts';
import type { ClaimStore } from '../claims/store.ts';
import type { ReceivedMessage } from './received.ts';

/** Turns the bytes of a body, without their content encoding, into a value. What it throws dead-letters the message. */
export type Decoder = (content: Buffer, message: ReceivedMessage) => unknown;

export interface DecodeOptions {
  /**
   * Default `json`: the content type must be JSON or missing. `exact-json` does the same, and each number that JavaScript would
   * write in another way, such as 1.10, is a JsonNumber, for functions that store a body or pass it on. `text` is a string, `bytes`
   * a Buffer, and a function decodes any other format; they take every content type. JSON is UTF-8 or UTF-16, and text is UTF-8, or
   * UTF-16 behind a byte order mark.
   */
  decode?: 'json' | 'exact-json' | 'text' | 'bytes' | Decoder | undefined;
  /** Content types that are decoded as JSON too, such as `application/octet-stream` of clients that set no better one. */
  jsonTypes?: readonly string[] | undefined;
  /** Maximum size of a body in bytes, before and after its content encoding (gzip, deflate, br), default 1 MiB. */
  maxBytes?: number | undefined;
  /**
   * Has the bodies of messages that carry a claim (`withClaims`). `body` is then the stored body, and `content` the claim, so that
   * copies carry the claim. Default: such a message is dead-lettered.
   */
  claims?: ClaimStore | undefined;
}

/** The value of a body without its content encoding; a promise only if a decoder returns one. */
export function decoded(content: Buffer, message: ReceivedMessage, options: DecodeOptions): unknown {
  const { decode = 'json', jsonTypes = [] } = options;
  if (decode === 'bytes') return content;
  if (decode === 'text') return textOf(content);
  if (decode === 'json' || decode === 'exact-json') {
    checkContentType(message, jsonTypes);
    return jsonOf(content, decode === 'exact-json');
  }
  return decodedBy(decode, content, message);
}

async function decodedBy(decode: Decoder, content: Buffer, message: ReceivedMessage): Promise<unknown> {
  try {
    return await decode(content, message);
  } catch (cause) {
    if (cause instanceof RejectedError || isUnavailable(cause)) throw cause;
    const reason = thrownText(cause instanceof Error ? cause.message : cause);
    throw new RejectedError(`body: cannot be decoded: ${reason}`, { cause });
  }
}

function checkContentType({ contentType }: ReceivedMessage, jsonTypes: readonly string[]): void {
  // Some clients send an empty type for none.
  if (contentType === undefined || isJsonType(contentType) || contentType.trim() === '') return;
  const [name = ''] = contentType.toLowerCase().split(';');
  if (jsonTypes.some((type) => type.toLowerCase() === name.trim())) return;
  const expected = ['application/json', ...jsonTypes].join(' or ');
  throw new RejectedError(`content_type: expected ${expected}, got "${contentType}"`);
}

function textOf(content: Buffer): string {
  const text = decodedText(content);
  if (text !== undefined) return text;
  throw new RejectedError(`body: expected text in UTF-8, got ${content.length} bytes that are not`);
}

function jsonOf(content: Buffer, exact: boolean): unknown {
  try {
    const text = decodedJson(content);
    if (text !== undefined) return parseJson(text, { exact });
    throw new SyntaxError('not UTF-8');
  } catch (cause) {
    const expected = `body: expected JSON in UTF-8, nested at most ${maxNested} deep, with at most ${maxValues} values`;
    throw new RejectedError(`${expected}, got ${content.length} bytes that are not`, { cause });
  }
}
