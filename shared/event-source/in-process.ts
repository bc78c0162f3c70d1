import type { Context } from 'aws-lambda';
import type { RabbitMQEvent } from './event.ts';
import { FunctionFailedError, type Invoke } from './invoke.ts';

/** A function for RabbitMQ's event, as its module exports it. */
export type Handler = (event: RabbitMQEvent, context: Context) => unknown;

export interface InProcessOptions {
  functionName: string;
  /** Gives the handler; asked at the first call, and again after it failed. */
  load: () => Promise<Handler>;
  /** How long a call may take in milliseconds. */
  timeoutMs: number;
}

/**
 * Calls a function in this process. One that takes too long counts as failed and can't be stopped: unlike on Lambda it
 * may still finish, beside the next call with the same message.
 */
export function inProcessInvoke({ functionName, load, timeoutMs }: InProcessOptions): Invoke {
  let handler: Promise<Handler> | undefined;
  return async (event) => {
    const deadline = Date.now() + timeoutMs;
    const context = makeContext(functionName, deadline);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new FunctionFailedError(`${functionName} took too long`)), timeoutMs);
    });
    handler ??= load();
    try {
      const loaded = await handler.catch((error: unknown) => {
        handler = undefined;
        throw error;
      });
      await Promise.race([loaded(event, context), late]);
    } catch (cause) {
      if (cause instanceof FunctionFailedError) throw cause;
      const { message } = cause instanceof Error ? cause : new Error(String(cause));
      throw new FunctionFailedError(`${functionName} failed: ${message}`, { cause });
    } finally {
      clearTimeout(timer);
    }
  };
}

/** What a handler may ask of Lambda's context object, as far as it makes sense here. */
function makeContext(functionName: string, deadline: number): Context {
  const nothing = () => undefined;
  return {
    functionName,
    functionVersion: '$LATEST',
    invokedFunctionArn: `arn:aws:lambda:local:000000000000:function:${functionName}`,
    memoryLimitInMB: '0',
    awsRequestId: crypto.randomUUID(),
    logGroupName: '',
    logStreamName: '',
    callbackWaitsForEmptyEventLoop: false,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
    done: nothing,
    fail: nothing,
    succeed: nothing,
  };
}
