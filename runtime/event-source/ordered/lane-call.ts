import type { Invoke } from '../invoke.ts';
import type { Held } from './lanes.ts';
import type { PartitionConsumer } from './partition-consumer.ts';

/** A call with messages that were taken. */
export interface LaneCall {
  readonly taken: readonly Held<PartitionConsumer>[];
  readonly invoke: Invoke;
  /** Its result if it was sent ahead of its turn. */
  sent?: Promise<unknown> | undefined;
  /** Milliseconds that it took then. */
  sentMs?: number | undefined;
  /** Whether it was sent and has not begun. */
  isRecalled?: boolean;
  /** Whether its messages are about to be settled, so that none may follow it. */
  isOver?: boolean;
}
