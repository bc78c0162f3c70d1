/** What a function is written with. */

export type { OutgoingMessage } from './amqp/outgoing.ts';
export { createPublisher, Publisher, type PublisherLike, type PublisherOptions } from './amqp/publisher.ts';
export type { Reply } from './amqp/reply-queue.ts';
export { AnsweredPublisher, type AnsweredPublisherLike, createAnsweredPublisher } from './amqp/request.ts';
export {
  type CallOptions,
  createRpcClient,
  RpcClient,
  type RpcClientLike,
  type RpcReply,
} from './amqp/rpc-client.ts';
export { withDeadline } from './base/deadline.ts';
export {
  allDone,
  DeadlineError,
  type ErrorCode,
  isNetworkError,
  RejectedError,
  UnavailableError,
  UnroutableError,
  WarrenError,
} from './base/errors.ts';
export { createLog, type Log, silentLog } from './base/log.ts';
export { problemsOf } from './base/schema-problems.ts';
export type { BasicProperties, HeaderValue, RabbitMQEvent, RabbitMQMessage } from './messages/event.ts';
export { decide, failedCopy, policyOf, tellSetAside } from './messages/failure-policy.ts';
export { CallError, type CallsOptions, callerHeader, onCalls, sendReply } from './messages/on-calls.ts';
export { type Message, type MessagesOptions, onMessages } from './messages/on-messages.ts';
export type { ReceivedMessage } from './messages/received.ts';
export * from './messages/test-event.ts';
export { type LambdaHandler, lambda, openResources, type Resources } from './resources/lambda.ts';
export { log } from './resources/log.ts';
export { publisher } from './resources/publisher.ts';
export { requester } from './resources/requester.ts';
export { type Resource, type ResourceContext, resource } from './resources/resource.ts';
export { rpcClient } from './resources/rpc-client.ts';
export { urlField } from './settings/fields.ts';
export {
  loadSettings,
  readSettings,
  type Settings,
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
