/** A call that was sent before the one in front of it has ended. */
export interface AheadCall {
  id: number;
  /** Called when it has begun. */
  begin(): void;
  /** Called when it does not begin. */
  drop(): void;
}

/** The order of calls in one process. A lane is a consumer, whose calls run one after the other. */
export class Lanes {
  /** The call of each lane that has begun, and those behind it. */
  readonly #lanes = new Map<number, { front: number; behind: AheadCall[] }>();

  /** Whether a call of the lane is in flight. */
  has(lane: number): boolean {
    return this.#lanes.has(lane);
  }

  /** A call has begun by itself. */
  open(lane: number, id: number): void {
    this.#lanes.set(lane, { front: id, behind: [] });
  }

  /** A call was sent behind those of its lane. */
  add(lane: number, call: AheadCall): void {
    this.#lanes.get(lane)?.behind.push(call);
  }

  /** A call has ended. @param next whether the one behind it has begun. */
  ended(lane: number, id: number, next: boolean): void {
    const calls = this.#lanes.get(lane);
    if (calls?.front !== id) return;
    const call = next ? calls.behind.shift() : undefined;
    if (call) {
      calls.front = call.id;
      call.begin();
      return;
    }
    this.#lanes.delete(lane);
    for (const each of calls.behind) each.drop();
  }

  /**
   * The process has dropped calls that had not begun. Its answer crosses the ends that were leaving, so that a call may be in front
   * here without having begun there.
   */
  recalled(ids: ReadonlySet<number>): void {
    for (const [lane, calls] of this.#lanes) {
      const { front, behind } = calls;
      calls.behind = behind.filter(({ id }) => !ids.has(id));
      if (calls.behind.length < behind.length) for (const each of behind) if (ids.has(each.id)) each.drop();
      if (ids.has(front)) this.ended(lane, front, true);
    }
  }

  /** The process has ended. */
  end(): void {
    const dropped = [...this.#lanes.values()].flatMap(({ behind }) => behind);
    this.#lanes.clear();
    for (const each of dropped) each.drop();
  }
}
