import { WarrenError } from '../base/errors.ts';

/** A program for development cannot start. The message is one line with the reason and the remedy. */
export class StackError extends WarrenError {
  override name = 'StackError';

  constructor(message: string, options?: ErrorOptions) {
    super('ERR_STACK', message, options);
  }
}
