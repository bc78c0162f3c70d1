import type { StandardSchemaV1 } from '@standard-schema/spec';
import { RejectedError } from '../base/errors.ts';
import { after, isPromise } from '../base/promises.ts';
import { problemText } from '../base/schema-problems.ts';
import { claimedBody } from '../claims/open.ts';
import { checkDistinct, type ReadContract, readingOf } from '../contracts/reading.ts';
import { type DecodeOptions, decoded } from './decoded-body.ts';
import { inflated } from './inflate.ts';
import type { Message, ReceivedMessage } from './received.ts';

/** A schema of Zod, Valibot, ArkType or any other library that follows Standard Schema. It may check asynchronously. */
export type Schema<Body> = StandardSchemaV1<unknown, Body>;

/** Schemas by the property `type` of a message. */
export type Schemas = Readonly<Record<string, StandardSchemaV1>>;

/** A message of one of several types. */
export type TypedMessage<ByType extends Schemas> = {
  [Type in keyof ByType & string]: Message<StandardSchemaV1.InferOutput<ByType[Type]>> & { type: Type };
}[keyof ByType & string];

export interface BodyOptions<Body> extends DecodeOptions {
  /** Schema of a body. A message with another body is dead-lettered with the reason. Default: the body is not checked. */
  schema?: Schema<Body> | undefined;
  /** Schemas by the property `type`, in place of `schema`. A message of another type is dead-lettered. */
  schemas?: Readonly<Record<string, Schema<Body>>> | undefined;
  /** The contract of the messages (`defineMessage`), in place of `schema`. */
  contract?: ReadContract<Body> | undefined;
  /** Contracts of several versions of a message, by its property `type`, in place of `contract`. */
  contracts?: readonly ReadContract<Body>[] | undefined;
}

const defaultMaxBytes = 1024 * 1024;

/**
 * Decodes and checks a body.
 *
 * @throws RejectedError with what was expected and what was received.
 */
export async function decodeBody<Body>(
  message: ReceivedMessage,
  options: BodyOptions<Body>,
): Promise<Message<Body>> {
  return decoding(message, options);
}

/** As `decodeBody`, without a promise if the body is neither claimed nor compressed, and decoder and schema need none. */
export function decoding<Body>(
  message: ReceivedMessage,
  options: BodyOptions<Body>,
): Message<Body> | PromiseLike<Message<Body>> {
  const { contracts } = options;
  // First, because it needs no look at the body.
  const schema = contracts ? undefined : schemaFor(message, options);
  const { maxBytes = defaultMaxBytes } = options;
  const sent = claimedBody(message, options.claims, maxBytes);
  const content = isPromise(sent)
    ? sent.then((bytes) => inflated(bytes, message.contentEncoding, maxBytes))
    : inflated(sent, message.contentEncoding, maxBytes);
  // A closure for each step takes longer than a step.
  if (isPromise(content)) {
    return content.then((bytes) =>
      after(decoded(bytes, message, options), (value) => checked(message, value, schema, contracts)),
    );
  }
  const value = decoded(content, message, options);
  return isPromise(value)
    ? value.then((later) => checked(message, later, schema, contracts))
    : checked(message, value, schema, contracts);
}

/** Checks a decoded body with the schema, or with the contract of its version. */
function checked<Body>(
  message: ReceivedMessage,
  value: unknown,
  schema: Schema<Body> | undefined,
  contracts: BodyOptions<Body>['contracts'],
): Message<Body> | PromiseLike<Message<Body>> {
  if (contracts) {
    const reading = readingOf(message, value, contracts);
    const { version } = reading;
    const fits = checkedBody(message, reading.schema as Schema<Body>, reading.value);
    return version === undefined ? fits : after(fits, (read) => Object.assign(read, { version }));
  }
  return schema ? checkedBody(message, schema, value) : Object.assign(message, { body: value as Body });
}

function checkedBody<Body>(
  message: ReceivedMessage,
  schema: Schema<Body>,
  value: unknown,
): Message<Body> | PromiseLike<Message<Body>> {
  const validated = schema['~standard'].validate(value);
  return isPromise(validated)
    ? validated.then((result) => fitting(message, value, result))
    : fitting(message, value, validated);
}

function fitting<Body>(
  message: ReceivedMessage,
  value: unknown,
  result: StandardSchemaV1.Result<Body>,
): Message<Body> {
  if (result.issues) throw new RejectedError(problemText(result, 'body', value));
  const fits = message as Message<Body>;
  fits.body = result.value;
  return fits;
}

/**
 * Resolves a contract to the options that it stands for, once for a function: a plain contract then costs no more than its schema.
 *
 * @throws WarrenError ERR_CONFIG if messages of two contracts cannot be distinguished.
 */
export function withContract<Options extends BodyOptions<unknown>>(options: Options): Options {
  const { contract, contracts = contract && [contract] } = options;
  const [first] = contracts ?? [];
  if (!contracts || !first) return options;
  checkDistinct(contracts);
  const { decode = first.decode, jsonTypes = first.jsonTypes } = options;
  const isPlain = contracts.length === 1 && first.version === undefined && !first.cloudEvents;
  const reading = isPlain ? { schema: first.schema, contracts: undefined } : { contracts };
  return { ...options, ...reading, decode, jsonTypes } as Options;
}

function schemaFor<Body>(
  { type }: ReceivedMessage,
  { schema, schemas }: BodyOptions<Body>,
): Schema<Body> | undefined {
  if (!schemas) return schema;
  if (type !== undefined && Object.hasOwn(schemas, type)) return schemas[type];
  const known = Object.keys(schemas).map((name) => `"${name}"`);
  const got = type === undefined ? 'none' : `"${type}"`;
  throw new RejectedError(`type: expected ${known.join(' or ')}, got ${got}`);
}
