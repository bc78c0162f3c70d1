import { WarrenError } from '../../base/errors.ts';
import { FunctionFailedError, HostUnavailableError } from '../../event-source/invoke.ts';
import { FunctionLateError } from '../in-process.ts';
import { fromSent, type SentError } from './protocol.ts';

/** Why a process has ended. */
export interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** An error that no call has caught, or the reason why the process could not be started. */
  error: Error | undefined;
}

/** A process ended with several calls in flight, so that each of them may have ended it. */
export class SharedEndError extends FunctionFailedError {
  override name = 'SharedEndError';
}

export function endedText(functionName: string, { code, signal }: Ending): string {
  return `the process of ${functionName} ended with ${signal ?? `code ${code}`}`;
}

/**
 * The error for a call whose process has ended.
 *
 * @param calls how many calls it had.
 * @param replaced whether the process was ended because of a late call, which is not among them.
 */
export function endError(functionName: string, ending: Ending, calls: number, replaced: boolean): Error {
  const text = endedText(functionName, ending);
  if (replaced) return new HostUnavailableError(text);
  const options = { cause: ending.error };
  return calls > 1 ? new SharedEndError(text, options) : new FunctionFailedError(text, options);
}

/** The error of a call that failed in its process, as the same call in this process would throw it. */
export function callError(functionName: string, { error, late }: { error: SentError; late: boolean }): Error {
  if (late) return new FunctionLateError(functionName);
  const options = { cause: fromSent(error) };
  if (error.code === 'ERR_HOST_UNAVAILABLE') return new HostUnavailableError(error.message, options);
  return new FunctionFailedError(error.message, options);
}

/** The error of a function that could not be loaded. */
export function startError(error: SentError): Error {
  return error.code === 'ERR_CONFIG' ? new WarrenError('ERR_CONFIG', error.message) : fromSent(error);
}
