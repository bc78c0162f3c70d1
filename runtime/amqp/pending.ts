import type { Listed } from '../base/open-list.ts';
import type { OutgoingMessage } from './outgoing.ts';

/**
 * Milliseconds for which the confirm of a delayed message is awaited while the broker answers. A second try would be a second message on
 * the ladder, and the function would be called for both of them hours later.
 */
const delayedPatienceMs = 10_000;

/** A message that is written now, where, and what takes its failure. */
export interface Written {
  exchange: string;
  routingKey: string;
  messageId: string;
  reject: (error: Error) => void;
}

/** A message that is not confirmed yet. */
export class Pending implements Listed {
  readonly exchange: string;
  readonly routingKey: string;
  readonly messageId: string;
  readonly reject: (error: Error) => void;
  /** Its deadline, by `performance.now`. */
  until: number;
  /** The end of its patience, by `performance.now`: until then, its deadline is moved while the broker answers. */
  readonly patientUntil: number;
  /** The end of its patience if the broker blocks publishers. */
  readonly blockedUntil: number;
  /** Whether it fails after its patience, and is not tried again while the broker answers. */
  readonly once: boolean;
  returned = false;
  // Fields of `Listed`, so that all messages have one hidden class.
  isListed = false;
  before: Pending | undefined = undefined;
  after: Pending | undefined = undefined;

  constructor(
    { patienceMs, deliverAt }: Pick<OutgoingMessage, 'patienceMs' | 'deliverAt'>,
    deadlineMs: number,
    { exchange, routingKey, messageId, reject }: Written,
  ) {
    const now = performance.now();
    this.exchange = exchange;
    this.routingKey = routingKey;
    this.messageId = messageId;
    this.reject = reject;
    this.until = now + deadlineMs;
    this.once = patienceMs === undefined && deliverAt !== undefined;
    this.patientUntil = now + (this.once ? delayedPatienceMs : (patienceMs ?? 0));
    // Without a choice of the caller, an HTTP function must not hang for as long as the broker blocks.
    this.blockedUntil = this.once ? now + 2 * deadlineMs : this.patientUntil;
  }
}

/** Whether a late confirm is still awaited. */
export const isPatient = ({ patientUntil, blockedUntil }: Pending, now: number, blocked: boolean): boolean =>
  patientUntil > now && (!blocked || blockedUntil > now);
