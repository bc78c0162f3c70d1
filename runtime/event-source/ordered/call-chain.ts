import { eventFor } from '../../base/unencoded.ts';
import { deliveredEvent } from '../../messages/delivered.ts';
import { type Invoke, type LaneInvoke, NotBegunError } from '../invoke.ts';
import type { Mapping } from '../mapping.ts';
import type { CallPace } from './call-pace.ts';
import type { LaneCall } from './lane-call.ts';
import type { LaneCalls } from './lane-calls.ts';
import type { Held, Lanes } from './lanes.ts';
import type { PartitionConsumer } from './partition-consumer.ts';

/** Calls of a chain, at most: one runs, and the others are on their way. */
const maxCalls = 3;
/** Bytes of the event of a call that is sent ahead, at most. */
const maxBytes = 262_144;
/** Part of a full call below which none is sent ahead: its messages may fill another one. */
const leastPart = 0.8;

type Own = Held<PartitionConsumer>;

export interface CallChainOptions {
  mapping: Mapping;
  invoke: Invoke;
  lanes: Lanes<PartitionConsumer>;
  runner: Pick<LaneCalls, 'run' | 'isPlain'>;
  pace: CallPace;
  /** Whether further keys would find another chain that is free. */
  hasRoom: () => boolean;
  /** Called when a call has ended. */
  ended: () => void;
}

/**
 * Calls that come one after the other. The next ones are on their way to the function while one runs, with the next messages of its
 * keys: on a busy machine, the way takes several times as long as a call. A call begins only when the one in front of it has succeeded, so
 * a message that fails keeps its place.
 */
export class CallChain {
  readonly #options: CallChainOptions;
  readonly #lane: LaneInvoke | undefined;
  /** The first one runs. */
  readonly #calls: LaneCall[] = [];
  /** Whether one was taken back, so that none may be sent that could begin before it is made again. */
  #isRecalled = false;

  constructor(options: CallChainOptions) {
    this.#options = options;
    this.#lane = options.lanes.takeBehind && options.invoke.lane?.();
  }

  /** Whether it makes no call. */
  get isFree(): boolean {
    return this.#calls.length === 0;
  }

  /** Makes a call with messages that were taken. */
  begin(taken: readonly Own[]): void {
    const { pace, invoke } = this.#options;
    const ended = pace.begin();
    this.#add({ taken, invoke: this.#lane ?? invoke });
    void this.#run(ended);
    this.#sendAhead();
  }

  /** Takes back the calls that have not begun. */
  recall(): void {
    if (this.#calls.length < 2) return;
    this.#isRecalled = true;
    this.#lane?.recall();
  }

  #add(call: LaneCall): void {
    this.#calls.push(call);
    for (const { source } of call.taken) source.begin();
  }

  async #run(ended: () => void): Promise<void> {
    const { runner, pace } = this.#options;
    const [call] = this.#calls as [LaneCall];
    await runner.run(call);
    for (const { source } of call.taken) source.end();
    if (call.sentMs === undefined) ended();
    else pace.took(call.sentMs);
    this.#calls.shift();
    this.#isRecalled &&= !this.isFree;
    if (!this.isFree) void this.#run(() => undefined);
    this.#options.ended();
    this.#sendAhead();
  }

  #sendAhead(): void {
    const { lanes, runner, pace, mapping, hasRoom } = this.#options;
    const { batchSize } = mapping;
    const lane = this.#lane;
    const limits = { size: batchSize, bytes: maxBytes, least: Math.max(1, leastPart * batchSize) };
    const mayFollow = (held: Own) => !held.delivery.fields.redelivered && runner.isPlain(held);
    for (;;) {
      const latest = this.#calls.at(-1);
      if (!lane || !latest || latest.isOver || this.#isRecalled || this.#calls.length >= maxCalls) return;
      if (pace.isSlow || !hasRoom() || !latest.taken.every(runner.isPlain)) return;
      const taken = lanes.takeBehind?.(latest.taken, limits, mayFollow) ?? [];
      if (taken.length === 0 || !this.#send(lane, taken)) return;
    }
  }

  #send(lane: LaneInvoke, taken: readonly Own[]): boolean {
    const { lanes, mapping } = this.#options;
    const deliveries = taken.map(({ delivery }) => delivery);
    const call: LaneCall = { taken, invoke: lane };
    call.sent = lane.ahead(eventFor(lane, deliveredEvent(mapping, deliveries)), (ms) => {
      call.sentMs = ms;
    });
    call.sent?.catch((error: unknown) => {
      call.isRecalled = error instanceof NotBegunError;
      this.#isRecalled ||= call.isRecalled;
    });
    if (call.sent) this.#add(call);
    else for (const held of taken) lanes.delay(held, 0);
    return call.sent !== undefined;
  }
}
