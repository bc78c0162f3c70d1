import { misfits } from './accepted.ts';
import { type Json, type Operation, type Reference, referenced } from './document-types.ts';
import type { Misfit } from './misfit.ts';

/** A change that breaks a program which was made from the old document. */
export interface Breaking {
  /** The message, as the document names it. */
  message: string;
  /** Who is broken: programs that publish the message, or that read it. */
  breaks: 'publishers' | 'consumers';
  /** What has changed, with the field. */
  change: string;
}

/** A message of a document with its channel and its roles. */
interface Described {
  message: Json;
  channel: Json;
  /** Whether other programs publish it, and whether they read it. */
  published: boolean;
  read: boolean;
}

/**
 * Compares two documents. A change breaks publishers if a message that they may send is no longer accepted, and consumers if they may get
 * a message that they do not expect. A further message, channel, optional property or function breaks no program.
 *
 * @param before the document that clients were made from.
 * @param after the document of the system as it is.
 */
export function breakingChanges(before: Json, after: Json): Breaking[] {
  const [old, now] = [describedIn(before), describedIn(after)];
  return [...old].flatMap(([name, was]) => {
    const is = now.get(name);
    const roles = [was.published && 'publishers', was.read && 'consumers'] as const;
    const each = (change: string): Breaking[] =>
      roles.flatMap((breaks) => (breaks ? [{ message: name, breaks, change }] : []));
    if (!is) return each('the message was removed');
    return [
      ...placeChanges(was, is).flatMap(each),
      ...(was.published ? payloadChanges([was, before], [is, after]) : []).map(
        (misfit): Breaking => ({ message: name, breaks: 'publishers', change: forPublishers(misfit) }),
      ),
      ...(was.read ? payloadChanges([is, after], [was, before], { removals: true }) : []).map(
        (misfit): Breaking => ({ message: name, breaks: 'consumers', change: forConsumers(misfit) }),
      ),
    ];
  });
}

function payloadChanges(
  [from, fromDocument]: [Described, Json],
  [to, toDocument]: [Described, Json],
  { removals = false } = {},
): Misfit[] {
  return misfits(
    { schema: from.message['payload'], document: fromDocument },
    { schema: to.message['payload'], document: toDocument },
    { removals },
  );
}

function placeChanges(was: Described, is: Described): string[] {
  const places: [what: string, of: (each: Described) => unknown][] = [
    ['exchange', ({ channel }) => amqpOf(channel)['exchange']],
    ['routing key', ({ channel }) => channel['address']],
    ['content type', ({ message }) => message['contentType']],
    ['type', ({ message }) => amqpOf(message)['messageType']],
  ];
  return places.flatMap(([what, of]) => {
    const [old, now] = [of(was), of(is)].map((value) => JSON.stringify(value) ?? 'none');
    return old === now ? [] : [`${what}: was ${old}, is now ${now}`];
  });
}

const fieldOf = ({ path }: Misfit) => (path.length > 0 ? path.join('.').replaceAll('.[]', '[]') : 'body');

function forPublishers(misfit: Misfit): string {
  const { kind, given, accepted } = misfit;
  const field = fieldOf(misfit);
  if (kind === 'missing' || kind === 'unknown') return `${field}: is now required`;
  if (kind === 'closed') return `${field}: is now refused`;
  if (kind === 'value') return `${field}: no longer accepts ${given}, only ${accepted}`;
  return `${field}: accepted ${given}, now only ${accepted}`;
}

function forConsumers(misfit: Misfit): string {
  const { kind, given, accepted } = misfit;
  const field = fieldOf(misfit);
  if (kind === 'missing') return `${field}: was always there, and may now be missing`;
  if (kind === 'unknown' || kind === 'removed') return `${field}: was removed`;
  if (kind === 'closed') return `${field}: was never there, and may now be`;
  return `${field}: was ${accepted}, and may now be ${given}`;
}

/** The messages of a document by their names in its components. */
function describedIn(document: Json): Map<string, Described> {
  const found = new Map<string, Described>();
  const note = ({ channel: place, messages = [] }: Omit<Operation, 'action'>, role: Partial<Described>) => {
    const channel = referenced(document, place) as Json | undefined;
    for (const each of messages) {
      const [name, message] = lastReferenced(document, each);
      if (!channel || !message) continue;
      found.set(name, { message, channel, published: false, read: false, ...found.get(name), ...role });
    }
  };
  const [published, read] = [{ published: true }, { read: true }];
  for (const operation of Object.values((document['operations'] ?? {}) as Record<string, Operation>)) {
    const isReceived = operation.action === 'receive';
    note(operation, isReceived ? published : read);
    // A reply goes the other way.
    if (operation.reply) note(operation.reply, isReceived ? read : published);
  }
  return found;
}

/** Follows references. @returns the last part of the last reference, and what it names. */
function lastReferenced(document: Json, first: Reference): [string, Json | undefined] {
  let reference = first;
  for (let steps = 0; steps < 5; steps += 1) {
    const value = referenced(document, reference) as Json | undefined;
    if (typeof value?.['$ref'] !== 'string') return [reference.$ref.split('/').at(-1) ?? '', value];
    reference = value as unknown as Reference;
  }
  return ['', undefined];
}

function amqpOf({ bindings }: Json): Json {
  return ((bindings as Json | undefined)?.['amqp'] ?? {}) as Json;
}
