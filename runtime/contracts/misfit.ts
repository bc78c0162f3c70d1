/** Why a value that fits one schema may not fit another. */
export interface Misfit {
  /** From the body; `[]` is each element of an array, and `*` each property that no schema names. */
  path: readonly string[];
  /**
   * `missing`: a required property may be missing. `unknown`: a required property is unknown to the first schema. `removed`: so is an
   * optional one. `closed`: a property is refused.
   */
  kind: 'type' | 'value' | 'bound' | 'missing' | 'unknown' | 'removed' | 'closed';
  /** What the first schema allows, and what the second one. */
  given: string;
  accepted: string;
  /** Whether it is in a schema within itself. The outer schema has the same misfit. */
  isRepeated?: boolean;
}
