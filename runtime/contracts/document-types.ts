/** An object of a JSON document. */
export type Json = Readonly<Record<string, unknown>>;

/** A reference within a document (RFC 6901). */
export interface Reference {
  $ref: string;
}

/** The parts of an operation that name others. */
export interface Operation {
  action: 'send' | 'receive';
  channel: Reference;
  messages?: readonly Reference[];
  reply?: { channel: Reference; messages?: readonly Reference[] };
}

/** Makes a reference from the parts of its path. */
export const reference = (...path: readonly string[]): Reference => ({
  $ref: `#/${path.map((part) => part.replaceAll('~', '~0').replaceAll('/', '~1')).join('/')}`,
});

/** Finds what a reference names; undefined if there is nothing. */
export function referenced(document: unknown, { $ref }: Reference): unknown {
  const path = $ref.replace(/^#\/?/, '').split('/').filter(Boolean);
  return path.reduce<unknown>((value, part) => {
    const key = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');
    return (value as Json | undefined)?.[key];
  }, document);
}
