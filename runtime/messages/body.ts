import type { StandardSchemaV1 } from '@standard-schema/spec';
import { decodedJson, decodedText } from '../base/decoded-text.ts';
import { RejectedError } from '../base/errors.ts';
import { maxNested, maxValues, parseJson } from '../base/json.ts';
import { isJsonType } from '../base/json-type.ts';
import { after } from '../base/promises.ts';
import { problemText } from '../base/schema-problems.ts';
import { thrownText } from '../base/thrown-text.ts';
import { isUnavailable } from '../base/unavailable.ts';
import { claimedBody } from '../claims/open.ts';
import type { ClaimStore } from '../claims/store.ts';
import { checkDistinct, type ReadContract, readingOf } from '../contracts/reading.ts';
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

/** Turns the bytes of a body, without their content encoding, into a value. What it throws dead-letters the message. */
export type Decoder = (content: Buffer, message: ReceivedMessage) => unknown;

export interface DecodeOptions {
  /**
   * Default `json`: the content type must be JSON or missing. `exact-json` does the same, and each number that JavaScript would
   * write in another way, such as 1.10, is a JsonNumber, for functions that store a body or pass it on. `text` is a string, `bytes`
   * a Buffer, and a function decodes any other format; they take every content type. JSON is UTF-8 or UTF-16, and text is UTF-8, or
   * UTF-16 behind a byte order mark.
   */
  decode?: 'json' | 'exact-json' | 'text' | 'bytes' | Decoder | undefined;
  /** Content types that are decoded as JSON too, such as `application/octet-stream` of clients that set no better one. */
  jsonTypes?: readonly string[] | undefined;
  /** Maximum size of a body in bytes, before and after its content encoding (gzip, deflate, br), default 1 MiB. */
  maxBytes?: number | undefined;
  /**
   * Has the bodies of messages that carry a claim (`withClaims`). `body` is then the stored body, and `content` the claim, so that
   * copies carry the claim. Default: such a message is dead-lettered.
   */
  claims?: ClaimStore | undefined;
}

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
  const checked = (value: unknown) => {
    if (contracts) {
      const reading = readingOf(message, value, contracts);
      const { version } = reading;
      const fits = checkedBody(message, reading.schema as Schema<Body>, reading.value);
      return version === undefined ? fits : after(fits, (read) => Object.assign(read, { version }));
    }
    return schema ? checkedBody(message, schema, value) : Object.assign(message, { body: value as Body });
  };
  const { maxBytes = defaultMaxBytes } = options;
  const sent = claimedBody(message, options.claims, maxBytes);
  const content = after(sent, (bytes) => inflated(bytes, message.contentEncoding, maxBytes));
  return after(content, (bytes) => after(decoded(bytes, message, options), checked));
}

function checkedBody<Body>(
  message: ReceivedMessage,
  schema: Schema<Body>,
  value: unknown,
): Message<Body> | PromiseLike<Message<Body>> {
  return after(schema['~standard'].validate(value), (result) => {
    if (result.issues) throw new RejectedError(problemText(result, 'body', value));
    return Object.assign(message, { body: result.value });
  });
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

function decoded(content: Buffer, message: ReceivedMessage, options: DecodeOptions): unknown {
  const { decode = 'json', jsonTypes = [] } = options;
  if (decode === 'bytes') return content;
  if (decode === 'text') return textOf(content);
  if (decode === 'json' || decode === 'exact-json') {
    checkContentType(message, jsonTypes);
    return jsonOf(content, decode === 'exact-json');
  }
  return decodedBy(decode, content, message);
}

async function decodedBy(decode: Decoder, content: Buffer, message: ReceivedMessage): Promise<unknown> {
  try {
    return await decode(content, message);
  } catch (cause) {
    if (cause instanceof RejectedError || isUnavailable(cause)) throw cause;
    const reason = thrownText(cause instanceof Error ? cause.message : cause);
    throw new RejectedError(`body: cannot be decoded: ${reason}`, { cause });
  }
}

function checkContentType({ contentType }: ReceivedMessage, jsonTypes: readonly string[]): void {
  // Some clients send an empty type for none.
  if (contentType === undefined || contentType.trim() === '' || isJsonType(contentType)) return;
  const [name = ''] = contentType.toLowerCase().split(';');
  if (jsonTypes.some((type) => type.toLowerCase() === name.trim())) return;
  const expected = ['application/json', ...jsonTypes].join(' or ');
  throw new RejectedError(`content_type: expected ${expected}, got "${contentType}"`);
}

function textOf(content: Buffer): string {
  const text = decodedText(content);
  if (text !== undefined) return text;
  throw new RejectedError(`body: expected text in UTF-8, got ${content.length} bytes that are not`);
}

function jsonOf(content: Buffer, exact: boolean): unknown {
  try {
    const text = decodedJson(content);
    if (text !== undefined) return parseJson(text, { exact });
    throw new SyntaxError('not UTF-8');
  } catch (cause) {
    const expected = `body: expected JSON in UTF-8, nested at most ${maxNested} deep, with at most ${maxValues} values`;
    throw new RejectedError(`${expected}, got ${content.length} bytes that are not`, { cause });
  }
}
