import { problemText } from '../base/schema-problems.ts';
import type { ServedContract } from '../contracts/contract.ts';
import { wireForm } from '../contracts/wire-form.ts';
import { type BodyOptions, withContract } from './body.ts';
import { BinaryReply, wrongReply } from './call-reply.ts';
import { type CommonCallsOptions, eachCall } from './each-call.ts';
import type { HandlerContext } from './handler-context.ts';
import type { MessagesFunction } from './on-messages.ts';
import type { Message } from './received.ts';

export interface CallsOptions<Body>
  extends CommonCallsOptions,
    Omit<BodyOptions<Body>, 'contract' | 'contracts'> {
  contract?: undefined;
}

/** Options with a contract. A reply that does not fit it is an error for the caller, and is logged. */
export interface ContractCallsOptions<Body, Reply>
  extends CommonCallsOptions,
    Omit<BodyOptions<Body>, 'schema' | 'schemas' | 'contract' | 'contracts'> {
  /** The contract of the method (`defineCall`). */
  contract: ServedContract<Body, Reply>;
}

/**
 * Creates a function for RabbitMQ's event from a handler for one call. The reply goes to the default exchange with `reply_to`
 * as routing key and the caller's `correlation_id`. A call that cannot be served gets an error reply at once (type "error",
 * body problem+json, RFC 9457). It is never ignored or retried later, because the caller has a time limit: a call that is not
 * done at its deadline (that of the function or of the caller, whichever is earlier) is answered with 504, one whose caller no
 * longer waits is not made, and one that was begun before is answered with 500.
 *
 * @param handle returns the reply: a string is sent as text, bytes as they are (`BinaryReply` sets their content type), any
 *   other value as JSON. It throws CallError to answer with that error.
 * @returns the function. A reply that the broker does not confirm is repeated until the deadline of its call and then logged;
 *   neither that call nor another of its batch is made again.
 * @throws WarrenError ERR_CONFIG if a number among the options is wrong.
 */
export function onCalls<Body, Reply>(
  options: ContractCallsOptions<Body, Reply>,
  handle: (call: Message<Body>, context: HandlerContext) => Promise<NoInfer<Reply>>,
): MessagesFunction;
export function onCalls<Body>(
  options: CallsOptions<Body>,
  handle: (call: Message<Body>, context: HandlerContext) => Promise<unknown>,
): MessagesFunction;
export function onCalls(
  options: CallsOptions<unknown> | ContractCallsOptions<unknown, unknown>,
  handle: (call: Message<never>, context: HandlerContext) => Promise<unknown>,
): MessagesFunction {
  const work = handle as (call: Message<unknown>, context: HandlerContext) => Promise<unknown>;
  const given = withContract<BodyOptions<unknown> & CommonCallsOptions>(options);
  const { contract } = options;
  if (!contract) return eachCall(given, work);
  return eachCall(given, async (call, context) => {
    const result = await work(call, context);
    await expectFit(contract, result);
    return result;
  });
}

async function expectFit({ reply }: ServedContract<unknown, unknown>, result: unknown): Promise<void> {
  const sent = result instanceof BinaryReply ? result.content : wireForm(result, false);
  const checked = await reply['~standard'].validate(sent);
  if (checked.issues) throw wrongReply(problemText(checked, 'reply', sent));
}
