/**
 * Whether a media type is JSON, with any parameters: `application/json`, `text/json` and every type that ends in `+json`
 * (https://mimesniff.spec.whatwg.org/#json-mime-type).
 */
export function isJsonType(contentType: string): boolean {
  return /^\s*((application|text)\/json|[^\s;/]+\/[^\s;/]+\+json)\s*(;|$)/i.test(contentType);
}
