import type { ChildProcess } from 'node:child_process';
import { withDeadline } from '../../base/deadline.ts';
import { WarrenError } from '../../base/errors.ts';
import {
  FunctionFailedError,
  FunctionLateError,
  FunctionUnavailableError,
  HostUnavailableError,
} from '../../event-source/invoke.ts';
import type { FromProcess } from './protocol.ts';
import { fromSent, type SentError } from './sent-error.ts';

/** How a process has ended. */
export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** Why the process could not be started. */
  error?: Error | undefined;
}

/** Why a process has ended. */
export interface Ending extends Exit {
  /** An error that no call has caught, or the reason why the process could not be started. */
  error: Error | undefined;
  /** Number of calls that it had. */
  calls: number;
  /** Milliseconds since its start. */
  ageMs: number;
  /** Whether it ended before it was ready or soon after, so that its calls are not to blame. */
  young: boolean;
}

/** Milliseconds after it is ready in which the end of a process is not the fault of its calls. */
export const youngMs = 1000;

/** A process ended with several calls in flight, so that each of them may have ended it. */
export class SharedEndError extends FunctionFailedError {
  override name = 'SharedEndError';
}

/**
 * Resolves when a process has ended and its last message has arrived.
 *
 * @param closed resolves when further streams from the process have ended.
 */
export function exitOf(child: ChildProcess, closed?: Promise<unknown>): Promise<Exit> {
  return new Promise((resolve) => {
    // The end of the channel follows the last message of the process, which `exit` may precede.
    const disconnected = new Promise<void>((done) => child.once('disconnect', done));
    child.once('exit', async (code, signal) => {
      await disconnected;
      await closed;
      resolve({ code, signal });
    });
    child.on('error', (error) => {
      if (child.pid === undefined) resolve({ code: null, signal: null, error });
    });
  });
}

/**
 * Waits until a process has loaded what it serves.
 *
 * @param what the place of a problem, such as `functions.work`.
 * @throws the error of a module; WarrenError ERR_CONFIG if the process ends instead, or takes longer than `loadMs`.
 */
export function readiness(
  child: ChildProcess,
  { what, ended, loadMs }: { what: string; ended: Promise<Exit>; loadMs: number },
): Promise<void> {
  const problem = (text: string) => new WarrenError('ERR_CONFIG', `${what}: ${text}`);
  const loaded = new Promise<void>((resolve, reject) => {
    child.on('message', (message: FromProcess) => {
      if (message.kind === 'ready') resolve();
      else if (message.kind === 'unusable') reject(startError(message.error));
    });
    void ended.then((ending) =>
      reject(ending.error ?? problem(`its process ended with ${exitText(ending)} while it was loaded`)),
    );
  });
  return withDeadline(loaded, {
    ms: loadMs,
    late: () => problem(`expected to be loaded within ${loadMs / 1000} s, and its module still runs`),
  });
}

export function endedText(functionName: string, exit: Exit): string {
  return `the process of ${functionName} ended with ${exitText(exit)}`;
}

export function exitText({ code, signal }: Exit): string {
  return signal ?? `code ${code}`;
}

export interface EndedCall {
  /** Whether the call may not be made again. */
  once: boolean;
  /** Whether the process was ended because of a late call, which is not among its calls. */
  replaced: boolean;
}

/** The error for a call whose process has ended. */
export function endError(functionName: string, ending: Ending, { once, replaced }: EndedCall): Error {
  const text = endedText(functionName, ending);
  const options = { cause: ending.error };
  if (once) return new FunctionFailedError(text, options);
  if (replaced || ending.young) return new HostUnavailableError(text, options);
  return ending.calls > 1 ? new SharedEndError(text, options) : new FunctionFailedError(text, options);
}

/**
 * The error for a late call whose process was ended because its event loop was blocked. A call that only waits for a dependency does
 * not block it.
 *
 * @param others number of calls that the process had besides.
 */
export function blockedError(functionName: string, others: number): Error {
  const text = `${functionName} blocked the event loop of its process for longer than its time limit`;
  return others > 0 ? new SharedEndError(text) : new FunctionFailedError(text);
}

/** The error of a call that failed in its process, as the same call in this process would throw it. */
export function callError(functionName: string, { error, late }: { error: SentError; late: boolean }): Error {
  if (late) return new FunctionLateError(functionName);
  // The cause is what the function threw, as in a call in this process.
  const options = { cause: fromSent(error.cause ?? error) };
  if (error.code === 'ERR_HOST_UNAVAILABLE') return new FunctionUnavailableError(error.message, options);
  return new FunctionFailedError(error.message, options);
}

/** The error of a process that could not start. One that Warren expects needs no stack. */
function startError(error: SentError): Error {
  const expected = (['ERR_CONFIG', 'ERR_PORT_TAKEN'] as const).find((code) => code === error.code);
  return expected ? new WarrenError(expected, error.message) : fromSent(error);
}
