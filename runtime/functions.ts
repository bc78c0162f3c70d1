/** What a function is written with: `import { onMessages } from 'warren/functions'`. */

export type { OutgoingMessage } from './amqp/outgoing.ts';
export {
  createPublisher,
  type Publisher,
  type PublisherLike,
  type PublisherOptions,
} from './amqp/publisher.ts';
export {
  type AnsweredPublisher,
  type AnsweredPublisherLike,
  createAnsweredPublisher,
} from './amqp/request.ts';
export {
  type CallOptions,
  createRpcClient,
  type RpcClient,
  type RpcClientLike,
  type RpcReply,
} from './amqp/rpc-client.ts';
export {
  DeadlineError,
  RejectedError,
  UnavailableError,
  UnroutableError,
  WarrenError,
} from './base/errors.ts';
export type {
  BasicProperties,
  HeaderValue,
  RabbitMQEvent,
  RabbitMQMessage,
} from './messages/event.ts';
export { CallError, type CallsOptions, onCalls, sendReply } from './messages/on-calls.ts';
export { type Message, type MessagesOptions, onMessages } from './messages/on-messages.ts';
export type { ReceivedMessage } from './messages/received.ts';
export * from './messages/test-event.ts';
