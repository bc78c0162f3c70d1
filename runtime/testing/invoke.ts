import type { Context } from 'aws-lambda';
import { makeContext } from '../hosts/in-process.ts';

export interface InvokeOptions {
  /** Name of the function in the context, default `test`. */
  functionName?: string;
  /** The function's time limit, in milliseconds, default 15000; the context reports how much of it remains. */
  timeoutMs?: number;
}

/**
 * Makes a Lambda context whose remaining time starts to run now. It is that of AWS's own mapping: a function made with
 * `onMessages` publishes the copies of failed messages itself, and does not return verdicts to a host.
 */
export function lambdaContext({ functionName = 'test', timeoutMs = 15_000 }: InvokeOptions = {}): Context {
  const { clientContext, ...context } = makeContext(functionName, Date.now() + timeoutMs);
  return context;
}

/**
 * Calls a handler once, as a host does: with the event and a Lambda context.
 *
 * @returns what the handler returns.
 * @throws what the handler throws.
 * @example
 * import { invoke, rabbitMQEvent, recordingPublisher } from 'warren/testing';
 * import { createHandler } from './send-parcel.js';
 *
 * const publisher = recordingPublisher();
 * await invoke(createHandler({ publisher }), rabbitMQEvent([{ body: { order_id: 1 } }]));
 */
export async function invoke<Event, Reply>(
  handler: (event: Event, context: Context) => Reply | Promise<Reply>,
  event: Event,
  options: InvokeOptions = {},
): Promise<Reply> {
  return handler(event, lambdaContext(options));
}
