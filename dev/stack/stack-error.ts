import { WarrenError } from '../../runtime/base/errors.ts';

/** The stack can't start, and this one line says why and what to do. */
export class StackError extends WarrenError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_CONFIG', message, options);
  }
}
