import { RejectedError } from '../base/errors.ts';
import { maxNested, parseJson, stringifyJson } from '../base/json.ts';
import { thrownText } from '../base/thrown-text.ts';

/**
 * A body as its reader gets it. A value that JSON writes in another form, such as a Date, has to fit its schema in that form: the reader
 * would dead-letter it otherwise. Bytes are sent unchanged.
 *
 * @param exact whether the reader decodes `exact-json`.
 * @throws RejectedError if JSON cannot write the body.
 */
export function wireForm(body: unknown, exact: boolean): unknown {
  if (body === undefined || body instanceof Uint8Array || isPlain(body)) return body;
  try {
    return parseJson(stringifyJson(body), { exact });
  } catch (cause) {
    const reason = thrownText(cause instanceof Error ? cause.message : cause);
    throw new RejectedError(`body: expected a value that JSON can write: ${reason}`, { cause });
  }
}

/** Whether JSON returns a value as it is, so that it need not be written for the check. */
function isPlain(value: unknown, depth = 0): boolean {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  // A value may contain itself.
  if (typeof value !== 'object' || depth >= maxNested) return false;
  const isNested = (each: unknown) => isPlain(each, depth + 1);
  if (Array.isArray(value)) return value.every(isNested);
  const prototype: unknown = Object.getPrototypeOf(value);
  if ((prototype !== Object.prototype && prototype !== null) || 'toJSON' in value) return false;
  return Object.values(value).every((each) => each === undefined || isNested(each));
}
