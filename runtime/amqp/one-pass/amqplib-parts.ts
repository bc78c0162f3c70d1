import type { WireMessage } from './delivery-reader.ts';

/** The parts of amqplib's connection that its types leave out and that reading in one pass uses. */
export interface ConnectionParts {
  /** Bytes that have arrived and are not read yet. */
  rest: Buffer;
  /** Limit for the payload of a frame in bytes, 0 for none. */
  maxFrameSize: number;
  /** By their numbers. */
  channels: ({ channel: ReceivingChannel } | null | undefined)[];
  /** Receives each frame. Another function takes its place when the connection closes. */
  accept(frame: unknown): unknown;
  /** The next frame; false if it is not complete. */
  recvFrame(): unknown;
  /** Gives a channel its number. */
  freshChannel(channel: unknown, options: unknown): number;
}

/** The parts of an open channel. */
export interface ReceivingChannel {
  /** By their tags. */
  consumers: Map<string, (message: WireMessage) => void>;
  /** Receives the next frame of a message, and returns the function for the frame after it. */
  handleMessage(frame: unknown): unknown;
  acceptMessageFrame(frame: unknown): void;
  /** Receives each frame. Another function takes its place when the channel closes. */
  accept(frame: unknown): unknown;
  listenerCount(event: string): number;
  emit(event: string, ...values: unknown[]): boolean;
}

/** Whether it has the expected parts. */
export function isConnection(value: unknown): value is ConnectionParts {
  const parts = value as Partial<Record<keyof ConnectionParts, unknown>>;
  const { accept, recvFrame, freshChannel } = parts;
  return (
    Buffer.isBuffer(parts.rest) &&
    typeof parts.maxFrameSize === 'number' &&
    Array.isArray(parts.channels) &&
    [accept, recvFrame, freshChannel].every((each) => typeof each === 'function')
  );
}

/** Whether it has the expected parts, and only amqplib's own listener for deliveries, which hands them to the consumers. */
export function isChannel(value: unknown): value is ReceivingChannel {
  const parts = value as Partial<Record<keyof ReceivingChannel, unknown>>;
  const { handleMessage, acceptMessageFrame, accept, listenerCount, emit } = parts;
  const functions = [handleMessage, acceptMessageFrame, accept, listenerCount, emit];
  return (
    parts.consumers instanceof Map &&
    functions.every((each) => typeof each === 'function') &&
    (value as ReceivingChannel).listenerCount('delivery') === 1
  );
}
