import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { OutgoingMessage } from '../amqp/outgoing.ts';
import type { CallOptions, RpcClientLike } from '../amqp/rpc-client.ts';
import type { CloudEventSettings } from './cloud-events.ts';
import type { HasParameters } from './key.ts';
import type { ReadContract } from './reading.ts';

/** JSON Schema, draft 7, whose references are to itself. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** What the document of contracts has about a message or a method besides its schema. */
export interface ContractTexts {
  /** One sentence. */
  summary?: string | undefined;
  /** Markdown. */
  description?: string | undefined;
  /**
   * JSON Schema of the body on the wire. Default: the schema's own, if its library has Standard JSON Schema, as Zod and ArkType have.
   */
  jsonSchema?: JsonSchema | undefined;
  /** Bodies that fit the schema. */
  examples?: readonly unknown[] | undefined;
  /** Content types that are decoded as JSON too, as in `onMessages`. */
  jsonTypes?: readonly string[] | undefined;
  /** As in `onMessages`, default `json`. */
  decode?: 'json' | 'exact-json' | undefined;
  /** Who publishes: this service, its clients, or both, the default. It decides whom a change of the schema breaks. */
  from?: 'service' | 'clients' | 'both' | undefined;
}

/** What `defineMessage` takes. */
export interface MessageDefinition<
  Body extends StandardSchemaV1 = StandardSchemaV1,
  Key extends string = string,
  Version extends number | undefined = number | undefined,
> extends ContractTexts {
  /** Names the message in the document and in errors, such as `walk-ordered`: letters, digits, `-` and `_`. */
  name: string;
  /** Name of the exchange; '' for the default exchange, whose routing keys are names of queues. */
  exchange: string;
  /** Routing key, default ''. A name in braces stands for a word that each message chooses: `{severity}.{type}`. */
  key?: Key | undefined;
  /** Routing keys that fit a key with parameters, for the document. */
  keyExamples?: readonly string[] | undefined;
  /** JSON Schema of the headers that a client may set, for the document; they are not checked. */
  headers?: JsonSchema | undefined;
  schema: Body;
  /**
   * Distinguishes two forms of a message that are in use side by side: the property `type` is then `<name>.v<version>`. Default: none,
   * and the property is not set.
   */
  version?: Version;
  /** Schema of the answer to a message with `reply_to`; default: it gets none. */
  reply?: StandardSchemaV1 | undefined;
  /** Makes each message a CloudEvent, and reads CloudEvents. Default: neither. */
  cloudEvents?: CloudEventSettings | undefined;
  /** Derives the message id from the body, so that a message which is published twice has one id. Default: a random UUID. */
  messageId?(body: StandardSchemaV1.InferInput<Body>): string;
}

/** Properties of one message, besides those that its contract sets. */
export type MessageSettings = Omit<
  OutgoingMessage,
  'exchange' | 'routingKey' | 'body' | 'type' | 'table' | 'contentType' | 'contentEncoding'
>;

type SettingsOf<Key extends string> =
  HasParameters<Key> extends true
    ? [settings: MessageSettings & { routingKey: string }]
    : [settings?: MessageSettings];

/** One definition of a message: for its publishers, its handlers and the document of contracts. */
export interface MessageContract<
  Body extends StandardSchemaV1 = StandardSchemaV1,
  Key extends string = string,
  Version extends number | undefined = number | undefined,
> extends Omit<ContractTexts, 'decode' | 'jsonTypes'>,
    ReadContract<StandardSchemaV1.InferOutput<Body>, Version> {
  readonly kind: 'message';
  readonly exchange: string;
  readonly key: string;
  readonly reply?: StandardSchemaV1 | undefined;
  readonly keyExamples?: readonly string[] | undefined;
  readonly headers?: JsonSchema | undefined;
  /**
   * Makes a message for `publish` of a publisher, a requester or an effect. The body is sent as it is given; the schema, which must not
   * be asynchronous, only checks it.
   *
   * @param settings properties of the message, and its `routingKey` if the contract's key has parameters.
   * @throws RejectedError that names each field that does not fit, with the text with which a function dead-letters such a message.
   */
  message(body: StandardSchemaV1.InferInput<Body>, ...settings: SettingsOf<Key>): OutgoingMessage;
}

/** What `defineCall` takes. */
export interface CallDefinition<
  Request extends StandardSchemaV1 = StandardSchemaV1,
  Reply extends StandardSchemaV1 = StandardSchemaV1,
> extends ContractTexts {
  /** Name of the method: of its queue and its routing key. */
  method: string;
  /** Exchange to which the method's queue is bound, default `rpc`. */
  exchange?: string | undefined;
  request: Request;
  reply: Reply;
  /** As `jsonSchema`, for the reply. */
  replyJsonSchema?: JsonSchema | undefined;
  /** Content type of a reply in the document, default `application/json`. */
  replyContentType?: string | undefined;
}

/** The part of a contract that a function serves calls with. */
export interface ServedContract<Body, Reply> extends ReadContract<Body, undefined> {
  readonly reply: StandardSchemaV1<Reply>;
}

/** One definition of an RPC method: for its callers, its handler and the document of contracts. */
export interface CallContract<
  Request extends StandardSchemaV1 = StandardSchemaV1,
  Reply extends StandardSchemaV1 = StandardSchemaV1,
> extends Omit<ContractTexts, 'decode' | 'jsonTypes'>,
    Pick<CallDefinition, 'replyJsonSchema' | 'replyContentType'>,
    ServedContract<StandardSchemaV1.InferOutput<Request>, StandardSchemaV1.InferInput<Reply>> {
  readonly kind: 'call';
  readonly exchange: string;
  readonly key: string;
  /**
   * Calls the method.
   *
   * @param client whose exchange is that of the contract.
   * @returns the checked body of the reply.
   * @throws RejectedError that names each field of the request or of the reply that does not fit; CallError if the method answers with
   *   an error; otherwise as `RpcClient.call`.
   */
  call(
    client: RpcClientLike,
    body: StandardSchemaV1.InferInput<Request>,
    options?: CallOptions,
  ): Promise<StandardSchemaV1.InferOutput<Reply>>;
}

/** Any contract. */
export type Contract = MessageContract | CallContract;
