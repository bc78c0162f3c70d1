/** Old names of the public API, for one release. */

import type { ConnectionOptions } from './amqp/connection.ts';
import { Publisher, type PublisherOptions } from './amqp/publisher.ts';
import { Requester, type RequesterLike } from './amqp/requester.ts';
import { RpcClient, type RpcClientOptions } from './amqp/rpc-client.ts';
import { recordFailure } from './messages/failure-events.ts';

/** @deprecated Use `new Publisher(options)`. */
export function createPublisher(options: PublisherOptions): Publisher {
  return new Publisher(options);
}

/** @deprecated Use `new RpcClient(options)`. */
export function createRpcClient(options: RpcClientOptions): RpcClient {
  return new RpcClient(options);
}

/** @deprecated Use `new Requester(options)`. */
export function createAnsweredPublisher(options: ConnectionOptions): Requester {
  return new Requester(options);
}

/** @deprecated Renamed to `Requester`. */
export const AnsweredPublisher = Requester;
/** @deprecated Renamed to `Requester`. */
export type AnsweredPublisher = Requester;
/** @deprecated Renamed to `RequesterLike`. */
export type AnsweredPublisherLike = RequesterLike;

/** @deprecated Use `republish`, which publishes and records a failed message, or `recordFailure`. */
export const tellSetAside = recordFailure;
