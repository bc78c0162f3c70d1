import { RejectedError } from './errors.ts';

/** Some messages of a batch can never work. The others are not to blame, and nothing was done for them yet. */
export class RejectedMessagesError extends RejectedError {
  readonly messages: ReadonlySet<unknown>;

  /** @param messages as the handler got them. */
  constructor(reason: string, messages: ReadonlySet<unknown>) {
    super(reason);
    this.messages = messages;
  }
}
