/** The API for functions. */

export { attemptsHeader, callerHeader, expiresAtHeader } from './amqp/headers.ts';
export type { OutgoingMessage } from './amqp/outgoing.ts';
export { Publisher, type PublisherLike, type PublisherOptions } from './amqp/publisher.ts';
export type { Reply } from './amqp/reply-session.ts';
export { Requester, type RequesterLike } from './amqp/requester.ts';
export {
  type CallOptions,
  RpcClient,
  type RpcClientLike,
  type RpcClientOptions,
  type RpcReply,
} from './amqp/rpc-client.ts';
export { type Deadline, withDeadline } from './base/deadline.ts';
export type { Duration } from './base/duration.ts';
export type { ErrorCode, ProjectErrorCode } from './base/error-codes.ts';
export {
  allDone,
  DeadlineError,
  isNetworkError,
  RejectedError,
  ReplyTooLargeError,
  RetryLaterError,
  retry,
  UnavailableError,
  UnroutableError,
  WarrenError,
} from './base/errors.ts';
export { JsonNumber, parseJson, stringifyJson } from './base/json.ts';
export { Renewed, type RenewedOptions } from './base/lazy.ts';
export { createLog, type Log, silentLog } from './base/log.ts';
export { problemsOf } from './base/schema-problems.ts';
export { isUnavailable } from './base/unavailable.ts';
export {
  type CloudEventAttributes,
  type CloudEventSettings,
  cloudEventOf,
} from './contracts/cloud-events.ts';
export type {
  CallContract,
  CallDefinition,
  Contract,
  ContractTexts,
  JsonSchema,
  MessageContract,
  MessageDefinition,
  MessageSettings,
} from './contracts/contract.ts';
export { defineCall, defineMessage } from './contracts/define.ts';
export * from './deprecated.ts';
export type { Schema, Schemas, TypedMessage } from './messages/body.ts';
export { BinaryReply } from './messages/call-reply.ts';
export type { Decoder } from './messages/decoded-body.ts';
export type { BasicProperties, RabbitMQEvent, RabbitMQMessage } from './messages/event.ts';
export type { HeaderValue } from './messages/event-headers.ts';
export { expiryOf, isExpired } from './messages/expiration.ts';
export { failedCopy } from './messages/failed-copy.ts';
export { decide } from './messages/failure-policy.ts';
export type { HandlerContext } from './messages/handler-context.ts';
export { type BatchFailures, type BatchMessage, type BatchOptions, onBatch } from './messages/on-batch.ts';
export { type CallsOptions, type ContractCallsOptions, onCalls } from './messages/on-calls.ts';
export {
  type MessagesFunction,
  type MessagesOptions,
  onMessages,
  type TypedMessagesOptions,
  type VersionedMessage,
  type VersionedMessagesOptions,
} from './messages/on-messages.ts';
export { policyOf } from './messages/policies.ts';
export type { Message, ReceivedMessage } from './messages/received.ts';
export { CallError, sendReply } from './messages/reply.ts';
export { republish } from './messages/republish.ts';
export * from './messages/test-event.ts';
export { publisherFor } from './messages/vhost-publisher.ts';
export { type LambdaHandler, lambda, openResources, type Resources } from './resources/lambda.ts';
export { log } from './resources/log.ts';
export { publisher } from './resources/publisher.ts';
export { requester } from './resources/requester.ts';
export { type Resource, type ResourceContext, resource } from './resources/resource.ts';
export { rpcClient } from './resources/rpc-client.ts';
export { jsonText, listField, urlField } from './settings/fields.ts';
export {
  loadSettings,
  readSettings,
  type Settings,
  SettingsReader,
  type SettingsValues,
  variablesOf,
} from './settings/read.ts';
export { parseReference, referenceForms } from './settings/references.ts';
export {
  brokerSettings,
  lambdaSettings,
  logSettings,
  managementSettings,
  metricsSettings,
} from './settings/sections.ts';
