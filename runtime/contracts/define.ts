import { randomUUID } from 'node:crypto';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { OutgoingMessage } from '../amqp/outgoing.ts';
import { RejectedError, WarrenError } from '../base/errors.ts';
import { isPromise } from '../base/promises.ts';
import { problemText } from '../base/schema-problems.ts';
import { CallError } from '../messages/reply.ts';
import { checkEventSettings, eventContent } from './cloud-events.ts';
import type {
  CallContract,
  CallDefinition,
  Contract,
  MessageContract,
  MessageDefinition,
  MessageSettings,
} from './contract.ts';
import { hasValidParameters, keyCheck, parametersOf } from './key.ts';
import { wireForm } from './wire-form.ts';

/** Marks a contract. Two copies of this package recognize each other's. */
const mark = Symbol.for('warren.contract');

/** Whether a value is a contract. */
export const isContract = (value: unknown): value is Contract =>
  typeof value === 'object' && value !== null && mark in value;

/**
 * Defines a message once: `contract.message(body)` makes it for a publisher, `onMessages({ contract })` handles it, and
 * `warren asyncapi` describes it.
 *
 * @throws WarrenError ERR_CONFIG if the name, the key, the version or the attributes of its events cannot be used.
 */
export function defineMessage<
  Body extends StandardSchemaV1,
  const Key extends string = '',
  const Version extends number | undefined = undefined,
>(definition: MessageDefinition<Body, Key, Version>): MessageContract<Body, Key, Version> {
  const { name, exchange, key = '', schema, version, cloudEvents } = definition;
  checkName(name);
  if (version !== undefined && !(Number.isInteger(version) && version > 0)) {
    throw new WarrenError('ERR_CONFIG', `contract "${name}": version: expected 1 or more, got ${version}`);
  }
  if (!hasValidParameters(key)) {
    const expected = 'expected parameters of letters, digits, "-" and "_" in braces';
    throw new WarrenError('ERR_CONFIG', `contract "${name}": key: ${expected}, got "${key}"`);
  }
  if (cloudEvents) checkEventSettings(name, cloudEvents);
  const type = version === undefined ? undefined : `${name}.v${version}`;
  const expectKey = keyExpectation(key);
  const message = (body: unknown, settings: MessageSettings & { routingKey?: string } = {}) => {
    const { routingKey = key, headers, ...properties } = settings;
    expectKey(routingKey);
    checkSync(definition, name, schema, body);
    const messageId =
      properties.messageId ??
      definition.messageId?.(body as StandardSchemaV1.InferInput<Body>) ??
      randomUUID();
    const own = { ...properties, exchange, routingKey, messageId, ...(type !== undefined && { type }) };
    if (!cloudEvents) return { ...own, ...(headers && { headers }), body } satisfies OutgoingMessage;
    const data = { id: messageId, type: type ?? name, data: body, at: new Date() };
    const event = eventContent(cloudEvents, data);
    return {
      ...own,
      ...event,
      headers: { ...withoutEvent(headers), ...event.headers },
    } satisfies OutgoingMessage;
  };
  const { messageId, ...described } = definition;
  const contract = {
    ...described,
    [mark]: true,
    kind: 'message',
    key,
    version: version as Version,
    type,
    message,
  };
  return contract as unknown as MessageContract<Body, Key, Version>;
}

/**
 * Defines an RPC method once: `contract.call(client, body)` calls it, `onCalls({ contract })` serves it, and `warren asyncapi`
 * describes it.
 *
 * @throws WarrenError ERR_CONFIG if the name of the method cannot be used.
 */
export function defineCall<Request extends StandardSchemaV1, Reply extends StandardSchemaV1>(
  definition: CallDefinition<Request, Reply>,
): CallContract<Request, Reply> {
  const { method, exchange = 'rpc', request, reply, ...described } = definition;
  checkName(method);
  const call: CallContract<Request, Reply>['call'] = async (client, body, options) => {
    checkSync(described, method, request, body);
    const answer = await client.call(method, body, options);
    if (answer.type === 'error') throw errorOf(answer.body);
    const result = await reply['~standard'].validate(answer.body);
    if (!result.issues) return result.value as StandardSchemaV1.InferOutput<Reply>;
    throw new RejectedError(`the reply of ${method}: ${problemText(result, 'body', answer.body)}`);
  };
  const names = { name: method, key: method, exchange, version: undefined, type: undefined };
  const contract = { ...described, ...names, [mark]: true, kind: 'call', schema: request, reply, call };
  return contract as unknown as CallContract<Request, Reply>;
}

function checkName(name: string): void {
  if (/^[A-Za-z][\w-]*$/.test(name)) return;
  const expected = 'expected a name of letters, digits, "-" and "_"';
  throw new WarrenError('ERR_CONFIG', `contract: ${expected}, got "${name}"`);
}

/** Makes a check of the routing keys of messages; it throws RejectedError. */
function keyExpectation(key: string): (routingKey: string) => void {
  const fits = parametersOf(key).length === 0 ? (given: string) => given === key : keyCheck(key);
  return (given) => {
    if (!fits(given)) throw new RejectedError(`routing key: expected ${key}, got "${given}"`);
  };
}

function checkSync(
  { decode }: Pick<MessageDefinition, 'decode'>,
  name: string,
  schema: StandardSchemaV1,
  body: unknown,
): void {
  const sent = wireForm(body, decode === 'exact-json');
  const result = schema['~standard'].validate(sent);
  if (isPromise(result)) {
    // Its result does not matter any more, and a rejection without a handler would end the process.
    Promise.resolve(result).catch(() => undefined);
    const expected = 'expected a schema that checks without a promise, because a message is made without one';
    throw new WarrenError('ERR_CONFIG', `contract "${name}": ${expected}`);
  }
  if (result.issues) throw new RejectedError(problemText(result, 'body', sent));
}

/** The error of a method as its caller gets it. */
function errorOf(problem: unknown): CallError {
  const { status, title, detail } = (problem ?? {}) as Record<string, unknown>;
  const isProblem = typeof status === 'number' && status >= 400 && status < 600 && typeof title === 'string';
  if (!isProblem) return new CallError(502, 'The method failed');
  return new CallError(status, title, typeof detail === 'string' ? detail : undefined);
}

/** The attributes that each event has of its own, in a header of either form. */
const ownAttribute = /^cloudEvents[_:](?:specversion|id|source|type|time)$/;

/** Headers without the attributes of another event, whose headers are passed on with a new one. */
function withoutEvent(headers: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !ownAttribute.test(name)));
}
