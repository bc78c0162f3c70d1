/** Opens a session at its first use and keeps it until it ends. Concurrent callers wait for the same session. */
export class Kept<Session> {
  readonly #make: (ended: () => void) => Promise<Session>;
  #opening: Promise<Session> | undefined;
  #opened: Session | undefined;

  /** @param make opens a session, and calls `ended` when the session has ended or could not be opened. */
  constructor(make: (ended: () => void) => Promise<Session>) {
    this.#make = make;
  }

  /** The open session; undefined if there is none. */
  get current(): Session | undefined {
    return this.#opened;
  }

  /** The session that is open or opens now; a new one if there is none. */
  open(): Promise<Session> {
    if (this.#opening) return this.#opening;
    const opening = this.#make(() => this.drop(opening));
    this.#opening = opening;
    opening.then(
      (session) => {
        if (this.#opening === opening) this.#opened = session;
      },
      () => undefined,
    );
    return opening;
  }

  /**
   * Forgets a session, so that the next caller gets a new one.
   *
   * @returns whether it was the kept session; another may have replaced it by now.
   */
  drop(which: Session | Promise<Session> | undefined): boolean {
    const kept = which !== undefined && (which === this.#opening || which === this.#opened);
    if (kept) {
      this.#opening = undefined;
      this.#opened = undefined;
    }
    return kept;
  }
}
