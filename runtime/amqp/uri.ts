/** The parts of an AMQP URI as they are written; undefined if the URI does not have them. */
export interface UriParts {
  /** Scheme and authority: everything before the path. */
  start: string;
  secure: boolean;
  login: string | undefined;
  /** Host and port. */
  address: string;
  /** Begins with a slash. */
  path: string | undefined;
  query: string | undefined;
  fragment: string | undefined;
}

// RFC 3986, appendix B. Node's URL refuses URIs without a host (`amqp://user@`) and removes the path segments "." and "..",
// which are valid names of a vhost.
const uri = /^((amqps?):\/\/(?:([^/?#]*)@)?([^/?#]*))(\/[^?#]*)?(?:\?([^#]*))?(?:#(.*))?$/iu;

/**
 * Splits an AMQP URI.
 *
 * @returns undefined if it is not one.
 * @see https://www.rabbitmq.com/docs/uri-spec
 */
export function splitUri(text: string): UriParts | undefined {
  const found = uri.exec(text);
  if (!found) return undefined;
  const [, start = '', scheme = '', login, address = '', path, query, fragment] = found;
  return { start, secure: scheme.toLowerCase() === 'amqps', login, address, path, query, fragment };
}

/**
 * Decodes the percent-encoded UTF-8 of a part of a URI. What is not a valid encoding, such as the end of the password `100%`,
 * is returned unchanged.
 */
export function decode(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/giu, (encoded) => {
    try {
      return decodeURIComponent(encoded);
    } catch {
      return encoded;
    }
  });
}
