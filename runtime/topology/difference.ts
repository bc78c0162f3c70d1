/** A difference between a topology and the broker. */
export interface Difference {
  /** Such as `queue "orders"`. */
  what: string;
  /**
   * `missing`: apply declares it; `different`: apply stops, because it cannot be changed; `kept`: it cannot be changed either, and
   * apply reports it and goes on; `lowered`: apply sets a policy, because the queue keeps its argument, and `found` is the limit
   * that has an effect now; `outdated`: apply changes it; `surplus`: it stays.
   */
  kind: 'missing' | 'different' | 'kept' | 'lowered' | 'outdated' | 'surplus';
  /** The property that differs, such as `x-max-length`. */
  property?: string;
  declared?: unknown;
  /** Value at the broker; undefined if it has none. */
  found?: unknown;
}
