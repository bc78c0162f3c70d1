import { WarrenError } from '../../runtime/base/errors.ts';

/** The stack cannot start. The message is one line with the reason and the remedy. */
export class StackError extends WarrenError {
  override name = 'StackError';

  constructor(message: string, options?: ErrorOptions) {
    super('ERR_APP_STACK', message, options);
  }
}
