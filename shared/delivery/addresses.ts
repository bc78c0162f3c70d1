/** Mail addresses in settings: one or several, each with or without a name (RFC 5322, 3.4). */
import addressparser from 'nodemailer/lib/addressparser/index.js';
import * as z from 'zod';

/** A mail address, with the name of its owner or an empty one. */
export interface Recipient {
  name: string;
  address: string;
}

/** RFC 5321, 4.5.3.1.3: a path has at most 256 octets, with its angle brackets. */
const maxLength = 254;

/**
 * A local part (RFC 5322, 3.2.3) and a domain, both also with characters beyond ASCII. Quoted local parts are left out, because
 * mail servers read them in different ways.
 */
const atom = '[^\\s\\p{C}@<>()[\\]\\\\,;:".]+';
const label = '(?!-)[\\p{L}\\p{N}\\p{M}_-]{1,63}(?<!-)';
const plain = new RegExp(`^${atom}(\\.${atom})*@${label}(\\.${label})*$`, 'u');

const isAddress = (text: string): boolean => text.length <= maxLength && plain.test(text);

/**
 * Reads the mail addresses in a text such as `ops@example.com, Night Shift <night@example.com>`. An address that comes twice is
 * read once.
 *
 * @throws SyntaxError that names the first entry that is not a mail address, by its place and not by its text, because a
 *   setting may be a secret.
 */
export function readAddresses(text: string): Recipient[] {
  // Without line breaks and other control characters, which no name and no address may contain.
  if (/\p{Cc}/u.test(text)) throw new SyntaxError('it contains a control character');
  const entries = addressparser(text);
  if (entries.length === 0) throw new SyntaxError('it is empty');
  const read = entries.map((entry, index) => {
    const at = `entry ${index + 1} of ${entries.length}`;
    if ('group' in entry) throw new SyntaxError(`${at} is a group`);
    const { name, address } = entry;
    if (!isAddress(address)) throw new SyntaxError(`${at} is not a mail address`);
    // The parser takes the last address of an entry and leaves the others in its name.
    if (name.includes('@')) throw new SyntaxError(`${at} contains more than one address`);
    return { name, address };
  });
  return [...new Map(read.map((each) => [each.address, each])).values()];
}

/**
 * A variable or field with mail addresses.
 *
 * @param most the maximum number of addresses, default any.
 */
export function addressesField(most = Number.POSITIVE_INFINITY) {
  const example =
    most === 1 ? 'Warren <warren@example.com>' : 'ops@example.com, Night Shift <night@example.com>';
  const expected = `expected ${most === 1 ? 'a mail address' : 'mail addresses'} such as ${example}`;
  return z.string({ error: expected }).superRefine((text, context) => {
    const problem = problemOf(text, most);
    if (problem !== undefined) context.addIssue({ code: 'custom', message: `${expected}, but ${problem}` });
  });
}

function problemOf(text: string, most: number): string | undefined {
  try {
    const { length } = readAddresses(text);
    return length > most ? `it has ${length} entries` : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return error.message;
    throw error;
  }
}
