import { randomUUID } from 'node:crypto';
import type { PublisherLike } from '../amqp/publisher.ts';
import { doneWithin } from '../base/deadline.ts';
import { UnavailableError } from '../base/errors.ts';
import { type Call, throwStuck } from './batch-call.ts';
import type { CopyMemory } from './copy-memory.ts';
import type { Verdict } from './failure-policy.ts';
import type { ReceivedMessage } from './received.ts';
import { republish } from './republish.ts';

/** Milliseconds of a call that remain for its result. */
const endMs = 100;
/** Milliseconds that a call without a time limit waits for a confirm. */
const patienceMs = 20_000;
/** A copy is not published again while the broker may still confirm it: the next call with its message waits for the confirm. */
const confirmMs = 15 * 60_000;

export interface CopyingOptions {
  publisher: PublisherLike;
  memory: CopyMemory;
  now: () => Date;
  /** Milliseconds that the call has; undefined without a limit. */
  remainingMs: number | undefined;
}

/** A call by a host that ignores results, such as AWS's mapping: the function makes the copies. */
export class CopyingCall implements Call {
  readonly startedAt = performance.now();
  readonly #options: CopyingOptions;
  readonly #endsAt: number;
  readonly #stuck: unknown[] = [];
  readonly #done: ReceivedMessage[] = [];
  readonly #reports = new Map<ReceivedMessage, Promise<void>>();

  constructor(options: CopyingOptions) {
    this.#options = options;
    this.#endsAt = this.startedAt + (options.remainingMs ? options.remainingMs - endMs : patienceMs);
  }

  async knows(message: ReceivedMessage): Promise<boolean> {
    const { memory } = this.#options;
    if (memory.isDone(message) || (await this.#isCopied(message))) {
      this.done(message);
      return true;
    }
    return false;
  }

  done(message: ReceivedMessage): void {
    this.#options.memory.copyDone(message);
    this.#done.push(message);
  }

  /** Waits for the confirm of the copy as long as the call may take. A message has one copy, however often it is reported. */
  report(message: ReceivedMessage, failure: { verdict: Verdict; error: unknown }): Promise<void> {
    const report = this.#reports.get(message) ?? this.#copy(message, failure);
    this.#reports.set(message, report);
    return report;
  }

  readonly stuck = (error: unknown): void => void this.#stuck.push(error);

  end(count: number): undefined {
    if (this.#stuck.length > 0) this.#options.memory.batchFailed(this.#done);
    throwStuck(this.#stuck, count);
  }

  async #copy(message: ReceivedMessage, failure: { verdict: Verdict; error: unknown }): Promise<void> {
    const { publisher, memory, now } = this.#options;
    const id = memory.openCopy(message)?.id ?? randomUUID();
    const confirm = republish(publisher, {
      message,
      ...failure,
      at: now(),
      copy: { id, patienceMs: confirmMs },
    });
    memory.setOpenCopy(message, { id, confirm });
    await this.#confirmed(confirm);
    memory.setOpenCopy(message, undefined);
    this.done(message);
  }

  /** Whether the copy of an earlier delivery is confirmed; it is not if the broker has refused it or the connection was lost. */
  async #isCopied(message: ReceivedMessage): Promise<boolean> {
    const confirm = this.#options.memory.openCopy(message)?.confirm;
    if (!confirm) return false;
    const copied = confirm.then(
      () => true,
      () => false,
    );
    // The message may be reported as late meanwhile, and must not get another copy.
    const waiting = this.#confirmed(copied);
    this.#reports.set(message, waiting);
    await waiting;
    if (await copied) return true;
    this.#reports.delete(message);
    return false;
  }

  async #confirmed(confirm: Promise<unknown>): Promise<void> {
    if (await doneWithin(confirm, Math.max(0, this.#endsAt - performance.now()))) return;
    throw new UnavailableError('broker', 'the broker has not confirmed the copy yet');
  }
}
