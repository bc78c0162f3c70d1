import { createHash } from 'node:crypto';
import { copyHeader } from '../amqp/headers.ts';
import type { ReceivedMessage } from './received.ts';

/** A published copy of a failed message. Its confirm is late, or it is unknown whether the broker has the copy. */
export interface OpenCopy {
  /** The value of its `x-warren-copy`. */
  id: string;
  confirm: Promise<unknown>;
}

const maxEntries = 10_000;

/**
 * What one instance of a function remembers behind AWS's mapping. The mapping acknowledges all messages of a batch or none, so
 * if the copy of one message cannot be made, the others come again although they are done. Another instance remembers nothing.
 */
export class CopyMemory {
  readonly #copies = new Set<string>();
  readonly #done = new Set<string>();
  readonly #open = new Map<string, OpenCopy>();

  /** Whether a message is a copy that is done, or was done in a batch that failed. */
  isDone(message: ReceivedMessage): boolean {
    if (this.#copies.has(copyIdOf(message) ?? '')) return true;
    const key = message.redelivered ? keyOf(message) : undefined;
    return key !== undefined && this.#done.has(key);
  }

  /** A copy that was published twice arrives twice, and its work is done. */
  copyDone(message: ReceivedMessage): void {
    const id = copyIdOf(message);
    if (id !== undefined) add(this.#copies, id);
  }

  /** Takes note of messages that are done and come again, because their batch failed. */
  batchFailed(done: readonly ReceivedMessage[]): void {
    for (const message of done) {
      const key = keyOf(message);
      if (key !== undefined) add(this.#done, key);
    }
  }

  /** The copy of an earlier delivery of this message. */
  openCopy(message: ReceivedMessage): OpenCopy | undefined {
    const key = message.redelivered ? keyOf(message) : undefined;
    return key === undefined ? undefined : this.#open.get(key);
  }

  /** @param copy undefined when the broker has confirmed it. */
  setOpenCopy(message: ReceivedMessage, copy: OpenCopy | undefined): void {
    const key = keyOf(message);
    if (key === undefined) return;
    this.#open.delete(key);
    if (copy) this.#open.set(key, copy);
    const [oldest] = this.#open.keys();
    if (this.#open.size > maxEntries && oldest !== undefined) this.#open.delete(oldest);
  }
}

/** Identifies a copy in a queue. A delayed message may reach several queues of a function, with one value in all of them. */
function copyIdOf({ headers, vhost, queue }: ReceivedMessage): string | undefined {
  const id = headers[copyHeader];
  return typeof id === 'string' ? JSON.stringify([vhost, queue, id]) : undefined;
}

/** Identifies a message by its id and content, because publishers may use an id twice; undefined if it has no id. */
function keyOf(message: ReceivedMessage): string | undefined {
  const { queue, vhost, messageId, attempt, content } = message;
  if (messageId === undefined) return undefined;
  const known = JSON.stringify([vhost, queue, messageId, attempt, copyIdOf(message)]);
  return createHash('sha256').update(known).update(content).digest('base64');
}

function add(set: Set<string>, value: string): void {
  set.add(value);
  const [oldest] = set;
  if (set.size > maxEntries && oldest !== undefined) set.delete(oldest);
}
