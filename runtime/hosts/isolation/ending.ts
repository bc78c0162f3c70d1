import { WarrenError } from '../../base/errors.ts';
import {
  FunctionFailedError,
  FunctionLateError,
  FunctionUnavailableError,
  HostUnavailableError,
} from '../../event-source/invoke.ts';
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

export interface EndedCall {
  /** Whether the call may not be made again. */
  once: boolean;
  /** Number of calls that the process had. */
  calls: number;
  /** Whether the process was ended because of a late call, which is not among them. */
  replaced: boolean;
}

/** The error for a call whose process has ended. */
export function endError(functionName: string, ending: Ending, { once, calls, replaced }: EndedCall): Error {
  const text = endedText(functionName, ending);
  if (replaced && !once) return new HostUnavailableError(text);
  const options = { cause: ending.error };
  return calls > 1 && !once ? new SharedEndError(text, options) : new FunctionFailedError(text, options);
}

/** The error of a call that failed in its process, as the same call in this process would throw it. */
export function callError(functionName: string, { error, late }: { error: SentError; late: boolean }): Error {
  if (late) return new FunctionLateError(functionName);
  const options = { cause: fromSent(error) };
  if (error.code === 'ERR_HOST_UNAVAILABLE') return new FunctionUnavailableError(error.message, options);
  return new FunctionFailedError(error.message, options);
}

/** The error of a function that could not be loaded. */
export function startError(error: SentError): Error {
  return error.code === 'ERR_CONFIG' ? new WarrenError('ERR_CONFIG', error.message) : fromSent(error);
}
