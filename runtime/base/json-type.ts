/**
 * Whether a media type is JSON, with any parameters: `application/json`, `text/json` and every type that ends in `+json`
 * (https://mimesniff.spec.whatwg.org/#json-mime-type).
 */
export function isJsonType(contentType: string): boolean {
  // Most messages name it in this form, and a comparison is faster.
  if (contentType === 'application/json') return true;
  return /^\s*((application|text)\/json|[^\s;/]+\/[^\s;/]+\+json)\s*(;|$)/i.test(contentType);
}
