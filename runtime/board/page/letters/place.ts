/** The place of the user in a list. */
export interface Place {
  /** Index of the row that has the focus, or gets it. */
  active: number;
  /** Positions of the selected dead letters. */
  selected: ReadonlySet<number>;
}
