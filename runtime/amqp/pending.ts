/** A message that is not confirmed yet. */
export interface Pending {
  exchange: string;
  routingKey: string;
  messageId: string;
  /** Its deadline, by `performance.now`. */
  until: number;
  /** The end of its patience, by `performance.now`: until then, its deadline is moved while the broker answers. */
  patientUntil: number;
  returned: boolean;
  reject: (error: Error) => void;
}
