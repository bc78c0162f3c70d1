import type { Listed } from '../base/open-list.ts';
import type { OutgoingMessage } from './outgoing.ts';

/**
 * Milliseconds for which the confirm of a delayed message is awaited while the broker answers. A second try would be a second message on
 * the ladder, and the function would be called for both of them hours later.
 */
const delayedPatienceMs = 10_000;

/** A message that is not confirmed yet. */
export interface Pending extends Listed {
  exchange: string;
  routingKey: string;
  messageId: string;
  /** Its deadline, by `performance.now`. */
  until: number;
  /** The end of its patience, by `performance.now`: until then, its deadline is moved while the broker answers. */
  patientUntil: number;
  /** The end of its patience if the broker blocks publishers. */
  blockedUntil: number;
  /** Whether it fails after its patience, and is not tried again while the broker answers. */
  once: boolean;
  returned: boolean;
  reject: (error: Error) => void;
}

/** The times of a message that is written now. */
export function timesOf(
  { patienceMs, deliverAt }: Pick<OutgoingMessage, 'patienceMs' | 'deliverAt'>,
  deadlineMs: number,
): Pick<Pending, 'until' | 'patientUntil' | 'blockedUntil' | 'once'> {
  const now = performance.now();
  const once = patienceMs === undefined && deliverAt !== undefined;
  const patientUntil = now + (once ? delayedPatienceMs : (patienceMs ?? 0));
  // Without a choice of the caller, an HTTP function must not hang for as long as the broker blocks.
  const blockedUntil = once ? now + 2 * deadlineMs : patientUntil;
  return { until: now + deadlineMs, patientUntil, blockedUntil, once };
}

/** Whether a late confirm is still awaited. */
export const isPatient = ({ patientUntil, blockedUntil }: Pending, now: number, blocked: boolean): boolean =>
  patientUntil > now && (!blocked || blockedUntil > now);
