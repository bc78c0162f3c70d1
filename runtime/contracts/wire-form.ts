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

/**
 * Whether JSON returns a value as it is, so that it need not be written for the check. Loops without closures take a fraction of the time
 * of the check itself (docs/benchmarks.md).
 */
function isPlain(value: unknown, depth = 0): boolean {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return true;
  if (typeof value === 'number') return Number.isFinite(value);
  // A value may contain itself.
  if (typeof value !== 'object' || depth >= maxNested) return false;
  if (Array.isArray(value)) {
    // With the holes of a list, which JSON writes as null.
    for (const each of value) if (!isPlain(each, depth + 1)) return false;
    return true;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if ((prototype !== Object.prototype && prototype !== null) || 'toJSON' in value) return false;
  for (const name in value) {
    const each: unknown = value[name as keyof typeof value];
    if (each !== undefined && !isPlain(each, depth + 1)) return false;
  }
  return true;
}
