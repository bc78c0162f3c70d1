import type { ConsumeMessage } from 'amqplib';
import type { KeyCounts } from './key-counts.ts';

/** A message in hand, and the subscription that it came from. */
export interface Held<Source = unknown> {
  delivery: ConsumeMessage;
  source: Source;
  /** Undefined if the message has no order. */
  key: string | undefined;
  /** Bytes of its event. */
  bytes: number;
  /** When it arrived, by `performance.now`. */
  since: number;
  /** Whether it has a call of its own, because it may harm its neighbors. */
  alone: boolean;
  /** Whether it was taken, and is not back yet. */
  running: boolean;
}

/** When a batch is full. */
export interface LaneLimits {
  /** Messages. */
  size: number;
  /** Bytes of the encoded event. */
  bytes: number;
}

/** When a batch behind a call is full. */
export interface BehindLimits extends LaneLimits {
  /** Messages below which there is no such batch. */
  least: number;
}

/** The messages in hand, and which of them are ready. */
export interface Lanes<Source = unknown> {
  /** Adds a message behind those of its key. */
  push(held: Held<Source>): void;
  /** Takes a batch of messages that are ready; empty if there are none. */
  take(limits: LaneLimits): Held<Source>[];
  /**
   * Takes the messages behind those of a call, and others that are ready, for a call that begins after it; never if it is missing.
   *
   * @param front the messages of that call.
   * @param mayFollow whether a message may have such a call.
   */
  takeBehind?(
    front: readonly Held<Source>[],
    limits: BehindLimits,
    mayFollow: (held: Held<Source>) => boolean,
  ): Held<Source>[];
  /** A message is settled. */
  done(held: Held<Source>): void;
  /** A message is ready again after some milliseconds. */
  delay(held: Held<Source>, ms: number): void;
  /** Whether messages of a subscription are delayed. */
  hasDelayed(source: Source): boolean;
  /** Counts the keys with messages of a subscription. */
  keysOf(source: Source): KeyCounts;
  /** Forgets the messages of a subscription, except those that were taken. */
  drop(source: Source): void;
  /** Whether a message has to wait aside, so that other keys have room; never if it is missing. */
  isFull?(held: Held<Source>): boolean;
  /**
   * Takes out a message of the key that exceeds its share most, so that other keys have room; undefined if there is enough. A message that
   * was retried is not among them.
   *
   * @param mayLeave whether a message may wait aside.
   */
  takeSurplus?(source: Source, mayLeave: (held: Held<Source>) => boolean): Held<Source> | undefined;
  /** Number of messages that are ready, if it is known without a try. */
  readonly ready?: number;
  /** Whether no message was ready at the last `take`, although some wait: for the limits of their keys. */
  readonly isLimited?: boolean;
}
