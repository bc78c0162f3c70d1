/**
 * Events that are not encoded yet. AWS's event for RabbitMQ is expensive to write and to read: a body is base64, and a text header is
 * a list of bytes. A function of ours in the process of its host reads the messages themselves; any other function gets AWS's event.
 */

/** The content of an event that is not encoded. */
export interface Unencoded {
  /** Reads its messages anew. */
  messages(): unknown[];
  /** Writes the event of AWS. */
  encode(): unknown;
  /** The way for the reply of a call that its host offers. */
  reply?: HostReply | undefined;
}

/** Sends the reply of a call on the channel of its acknowledgement, which is written after it. */
export interface HostReply {
  /**
   * @param publisher that would publish it otherwise.
   * @param message for the publisher.
   * @returns whether it was sent. If not, it has to be published.
   */
  send(publisher: object, message: object): boolean;
  /** Notes that the broker has confirmed this reply, which was published. */
  confirmed(publisher: object, message: object): void;
}

// Registered symbols, because a bundle has its own copy of this package. The number changes with what they stand for.
const content = Symbol.for('warren.unencoded.1');
const reader = Symbol.for('warren.reads-unencoded.1');

/** The content of an event that is not encoded; undefined for any other event. */
export function unencodedIn(event: unknown): Unencoded | undefined {
  if (typeof event !== 'object' || event === null) return undefined;
  return (event as { [content]?: Unencoded })[content];
}

/** An event that only functions of `readsUnencoded` may get. */
export class UnencodedEvent {
  readonly [content]: Unencoded;

  constructor(unencoded: Unencoded) {
    this[content] = unencoded;
  }
}

/** Marks a function that takes an event that is not encoded, or passes it on with `eventFor`. */
export function readsUnencoded<Reader extends object>(read: Reader): Reader {
  return Object.defineProperty(read, reader, { value: true });
}

/** The event in a form that a function can read: AWS's, unless it is a function of `readsUnencoded`. */
export function eventFor<Event>(read: object, event: Event): Event {
  if (reader in read) return event;
  return (unencodedIn(event)?.encode() as Event | undefined) ?? event;
}
