import { WarrenError } from '../base/errors.ts';

/** Decides when the start of a poller is over, and whether it has failed. */
export class PollerStart {
  readonly #addresses: number;
  readonly #resolve: () => void;
  readonly #reject: (error: unknown) => void;
  #over = false;
  #refusal: unknown;

  constructor(addresses: number, resolve: () => void, reject: (error: unknown) => void) {
    this.#addresses = addresses;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  succeeded(): void {
    this.#over = true;
    this.#resolve();
  }

  /**
   * Takes note of a failed try. A refusal counts when every address was tried and none let us in.
   *
   * @param tries since the last subscription, this one included.
   */
  failed(error: unknown, tries: number): 'refused' | 'retry' {
    // The broker let us in and has no such queue, for example: its other addresses do not matter then.
    const letIn = !(error instanceof WarrenError);
    if (letIn) this.#refusal = undefined;
    else if (isFinal(error)) this.#refusal ??= error;
    const triedAll = letIn || tries >= this.#addresses;
    if (this.#over || !triedAll) return 'retry';
    if (this.#refusal === undefined) {
      this.succeeded();
      return 'retry';
    }
    this.#reject(this.#refusal);
    return 'refused';
  }
}

/** Whether waiting cannot help: a setting has to be changed. */
function isFinal(error: unknown): boolean {
  return error instanceof WarrenError && ['ERR_BROKER_REFUSED', 'ERR_CONFIG'].includes(error.code);
}
