/** What a function is written with: `import { onMessages } from 'warren/functions'`. */
export {
  DeadlineError,
  RejectedError,
  UnavailableError,
  UnroutableError,
  WarrenError,
} from './errors.ts';
export * from './event-source/builder.ts';
export type {
  BasicProperties,
  HeaderValue,
  RabbitMQEvent,
  RabbitMQMessage,
} from './event-source/event.ts';
export {
  type AnsweredPublisher,
  type AnsweredPublisherLike,
  createAnsweredPublisher,
} from './rabbitmq/answered.ts';
export { type Message, type MessagesOptions, onMessages } from './rabbitmq/messages.ts';
export type { OutgoingMessage } from './rabbitmq/outgoing.ts';
export {
  createPublisher,
  type Publisher,
  type PublisherLike,
  type PublisherOptions,
} from './rabbitmq/publisher.ts';
export type { ReceivedMessage } from './rabbitmq/received.ts';
export {
  type CallOptions,
  createRpcClient,
  type RpcClient,
  type RpcClientLike,
  type RpcReply,
} from './rabbitmq/rpc-client.ts';
export { CallError, type CallsOptions, onCalls, sendReply } from './rabbitmq/rpc-server.ts';
