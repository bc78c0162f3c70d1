import { callTimeoutMs, type RecordedCall } from './accepted.ts';
import type { Calm } from './calm.ts';
import type { Count } from './compare.ts';
import { recovering } from './count-calls.ts';
import type { Struck } from './course.ts';
import type { Runs } from './runs.ts';

export interface EffectsOfCalls {
  calls: readonly RecordedCall[];
  /** By the id of the call. */
  runs: ReadonlyMap<string, Runs>;
  /** Number of replies, by the id of the call. */
  replies: ReadonlyMap<string, number>;
}

/** A run may begin this much after the time limit, in milliseconds: the clock of a busy machine. */
const lateMs = 1000;

/**
 * Each call with an effect ran once, and once more at most for each fault that may have lost its delivery or its acknowledgement.
 * It was answered once, or it failed during a fault. No run began after the caller's time limit, and none without a call.
 */
export function countEffectsOfCalls(
  { calls, runs, replies }: EffectsOfCalls,
  struck: readonly Struck[],
): Count[] {
  let more = 0;
  let unanswered = 0;
  const ran: string[] = [];
  const answered: string[] = [];
  for (const { id, from, timed, deadly } of calls) {
    const until = from + callTimeoutMs;
    const near = struck.filter((each) => each.from <= until && each.to + recovering >= from);
    const allowed = 1 + near.filter(({ fault }) => fault.redelivers).length;
    const { begun } = runs.get(id) ?? { begun: [] };
    const answers = replies.get(id) ?? 0;
    more += Math.max(0, begun.length - 1);
    if (answers === 0) unanswered += 1;
    if (begun.length > allowed && !deadly)
      ran.push(
        `call ${id} of ${new Date(from).toISOString()} ran ${begun.length} times, at most ${allowed} allowed`,
      );
    // A broker that confirms nothing may also have taken the call late.
    const arrivedLate = !timed && near.some(({ fault }) => fault.confirmsNothing);
    for (const at of arrivedLate ? [] : begun.filter((time) => time > until + lateMs)) {
      ran.push(`call ${id} of ${new Date(from).toISOString()} ran ${at - until} ms after its time limit`);
    }
    if (answers === 0 && near.length === 0) answered.push(`call ${id} was not answered, without a fault`);
    // A reply whose confirm was lost is sent again, as is the reply of a second run.
    const mayRepeat = near.some(({ fault }) => fault.redelivers || fault.confirmsNothing);
    if (answers > 1 && !mayRepeat) answered.push(`call ${id} was answered ${answers} times`);
  }
  const known = new Set(calls.map(({ id }) => id));
  for (const id of replies.keys()) if (!known.has(id)) answered.push(`an answer without a call: ${id}`);
  return [
    {
      what: 'runs of calls with an effect',
      expected: `${calls.length}, once`,
      got: `${more} more by a fault`,
      problems: ran,
    },
    {
      what: 'answers to calls with an effect',
      expected: calls.length,
      got: `${calls.length - unanswered}, ${unanswered} failed`,
      problems: answered,
    },
  ];
}

/** Calls of the calm legs: each ran and was answered exactly once. */
export function calmEffects({ calls, runs, replies }: EffectsOfCalls, calms: readonly Calm[]): string[] {
  return calls
    .filter(({ from }) => calms.some((calm) => from >= calm.from && from <= calm.to))
    .filter(({ id }) => replies.get(id) !== 1 || runs.get(id)?.begun.length !== 1)
    .map(({ id }) => `call ${id}: ${runs.get(id)?.begun.length ?? 0} runs, ${replies.get(id) ?? 0} answers`);
}
