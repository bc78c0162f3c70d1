/** Opens a session at its first use and keeps it until it ends: all who ask meanwhile wait for the same one. */
export class Kept<Session> {
  readonly #make: (ended: () => void) => Promise<Session>;
  #opening: Promise<Session> | undefined;
  #opened: Session | undefined;

  /** @param make opens one, and calls `ended` when it is of no more use, or could not be opened. */
  constructor(make: (ended: () => void) => Promise<Session>) {
    this.#make = make;
  }

  /** The one that is open. */
  get current(): Session | undefined {
    return this.#opened;
  }

  /** The one that is open or opens; a new one where there is none. */
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
   * Keeps this one no more: whoever asks next gets another.
   *
   * @returns whether it was the one that is kept; another may be by now.
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
