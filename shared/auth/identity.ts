/** A person or program as an issuer knows it. Without the package that reads tokens, because functions of queues need it too. */
export interface Identity {
  issuer: string;
  subject: string;
  /** Null unless the issuer has verified the mail address. */
  name: string | null;
  email: string | null;
}

type Names = Pick<Identity, 'issuer' | 'subject'>;

/** The key of a caller with an identity. An issuer is a URL, which contains no space. */
export const identityKey = ({ issuer, subject }: Names): string => `${issuer} ${subject}`;

/** The issuer and subject of a key; undefined for the key of our own tokens. */
export function identityOf(key: string): Names | undefined {
  const at = key.indexOf(' ');
  return at < 0 ? undefined : { issuer: key.slice(0, at), subject: key.slice(at + 1) };
}
