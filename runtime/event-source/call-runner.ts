import type { ConsumeMessage } from 'amqplib';
import { attemptsHeader } from '../amqp/headers.ts';
import { InFlight } from '../base/in-flight.ts';
import { isPromise } from '../base/promises.ts';
import { eventFor } from '../base/unencoded.ts';
import { begunBefore, callerGone } from '../messages/call-reply.ts';
import { deliveredEvent } from '../messages/delivered.ts';
import type { RabbitMQEvent } from '../messages/event.ts';
import { callerDeadline } from '../messages/expiration.ts';
import { countOf } from '../messages/received.ts';
import { CallError } from '../messages/reply.ts';
import { readFailures } from '../messages/verdicts.ts';
import { backoff, pause } from './backoff.ts';
import type { BatchOptions } from './call.ts';
import { CallAcks } from './call-acks.ts';
import { CallAnswers } from './call-answers.ts';
import { CallJournal, callKey } from './call-journal.ts';
import { CallReplies, type CallRepliesOptions } from './call-replies.ts';
import type { Batch } from './delivery-buffer.ts';
import { FunctionUnavailableError, HostUnavailableError, type Invoke } from './invoke.ts';
import type { Outcome } from './observer.ts';
import { OpenCall, type OpenCallOptions } from './open-call.ts';
import { refusalOf } from './oversized.ts';
import type { Subscription } from './subscription.ts';

export interface CallRunnerOptions extends BatchOptions {
  /** Of its subscriptions. */
  connection: CallRepliesOptions['connection'];
}

/** Milliseconds for which a call waits for a host that is unavailable, if its caller has no limit. */
const maxWaitMs = 30_000;

/**
 * Makes the calls of an RPC queue, each on its own and all that arrive side by side. The first failure of a call is its last: the
 * host answers the caller with an error and acknowledges. A classic queue has no delivery limit, so a call that was begun before,
 * and may have ended its host, is answered with an error too.
 */
export class CallRunner {
  readonly #options: CallRunnerOptions;
  readonly #answers: CallAnswers;
  readonly #journal = new CallJournal();

  constructor(options: CallRunnerOptions) {
    this.#options = options;
    this.#answers = new CallAnswers(options);
  }

  /** Makes the calls of a subscription until it ends, and waits for those in flight unless its channel has closed. */
  async serve(subscription: Subscription): Promise<void> {
    const running = new InFlight();
    const acks = new CallAcks(subscription.acknowledger);
    const { connection } = this.#options;
    const { channel, closed } = subscription;
    const replies = new CallReplies({ channel, connection, closed });
    for (;;) {
      const next = subscription.next();
      const batch = isPromise(next) ? await next : next;
      if (!batch) break;
      running.begin();
      const ack = acks.add(batch.deliveries[0] as ConsumeMessage);
      void this.#run({ subscription, ack, replies }, batch).finally(running.end);
    }
    if (!subscription.closed.aborted) await running.allEnded();
    acks.flush();
  }

  async #run(taken: Pick<OpenCallOptions, 'subscription' | 'ack' | 'replies'>, batch: Batch): Promise<void> {
    const { mapping, observer, log } = this.#options;
    const { delivery } = taken.ack;
    const { headers = {}, expiration, messageId } = delivery.properties;
    const startedAt = performance.now();
    const until = callerDeadline({ headers, expiration }, Date.now() - (startedAt - batch.since));
    observer.taken?.(mapping, batch.deliveries);
    observer.calls?.(mapping, 1);
    let outcome: Outcome = 'failed';
    try {
      const key = callKey(delivery);
      outcome = await this.#make(new OpenCall({ ...taken, key, until }), batch.bytes);
    } catch (err) {
      log.error({ queue: mapping.queue, messageId, err }, 'a call could be neither made nor answered');
    }
    observer.calls?.(mapping, -1);
    const ms = performance.now() - startedAt;
    const redelivered = delivery.fields.redelivered ? 1 : 0;
    observer.batch?.(mapping, { messages: 1, redelivered, ms, outcome, headers });
  }

  #make(call: OpenCall, bytes: number): Promise<Outcome> | Outcome {
    const { subscription, delivery, key } = call;
    const known = delivery.fields.redelivered ? this.#journal.state(key) : 'waiting';
    // It is in flight or answered here, and only its acknowledgement was lost with the channel.
    if (known === 'begun') {
      this.#journal.forget(key);
      call.ack.done();
      return 'kept';
    }
    if (known === undefined) return this.#begunBefore(call);
    const refusal = refusalOf(this.#options.mapping, delivery, bytes);
    if (refusal) return this.#fail(call, new CallError(413, 'The request is too large', refusal));
    this.#journal.note(key, 'waiting');
    // Without its channel the broker delivers it again, perhaps to us.
    return this.#call(call).then((outcome) => {
      // A reply that was sent on that channel may be lost with it: its caller then gets an error.
      if (!subscription.closed.aborted || call.isSent) this.#journal.forget(key);
      return outcome;
    });
  }

  /** Calls the function, and again while its host is unavailable and the caller waits. */
  async #call(call: OpenCall): Promise<Outcome> {
    const { mapping, invoke, log } = this.#options;
    const { delivery, subscription, key, until } = call;
    const { functionName, queue } = mapping;
    const { messageId } = delivery.properties;
    const waitUntil = Math.min(until, Date.now() + maxWaitMs);
    const startedAt = performance.now();
    for (let tries = 1; ; tries += 1) {
      if (until <= Date.now()) return this.#fail(call, callerGone());
      try {
        this.#journal.note(key, 'begun');
        const result = await callUntil(
          invoke,
          eventFor(invoke, deliveredEvent(mapping, [delivery], call)),
          until,
        );
        const failure = readFailures(result, 1).get(0);
        if (failure) await this.#answers.deadLetter(call, failure);
        call.ack.done();
        const ms = Math.round(performance.now() - startedAt);
        log.info({ function: functionName, queue, messageId, ms }, 'call done');
        return 'done';
      } catch (error) {
        const begun = !(error instanceof HostUnavailableError) || error instanceof FunctionUnavailableError;
        if (begun) return this.#fail(call, error);
        this.#journal.note(key, 'waiting');
        if (tries === 1)
          log.warn({ function: functionName, queue, messageId, err: error }, 'host unavailable');
        const wait = backoff(tries, 100, 5000);
        if (Date.now() + wait > waitUntil) return this.#fail(call, error);
        await pause(wait, subscription.ended);
        if (subscription.ended.aborted) return this.#answers.giveBack(call, error);
      }
    }
  }

  /** A redelivered call whose beginning this process knows nothing about. */
  async #begunBefore(call: OpenCall): Promise<Outcome> {
    const attempts = countOf(call.delivery.properties.headers?.[attemptsHeader]);
    const error = begunBefore();
    if (attempts >= (this.#options.mapping.redeliveries ?? 0)) return this.#fail(call, error);
    return this.#answers.giveBack(call, error);
  }

  async #fail(call: OpenCall, error: unknown): Promise<Outcome> {
    const isAnswered = await this.#answers.fail(call, error);
    if (isAnswered) call.ack.done();
    // The process that gets it next has to answer.
    else this.#journal.forget(call.key);
    return isAnswered ? 'failed' : 'kept';
  }
}

function callUntil(invoke: Invoke, event: RabbitMQEvent, until: number): Promise<unknown> {
  return invoke.callUntil && until !== Number.POSITIVE_INFINITY
    ? invoke.callUntil(event, until)
    : invoke(event);
}
