import { type Call, callTimeoutMs } from './accepted.ts';
import type { Count } from './compare.ts';
import type { Struck } from './course.ts';

/** Time after a fault in which a call may still fail, in milliseconds: until all consumers have subscribed again. */
export const recovering = 15_000;

/** Every call came to its end in time, with its own answer; and none failed but for a fault. */
export function countCalls(
  calls: readonly Call[],
  struck: readonly Struck[],
  afterwards: readonly Call[],
): Count[] {
  const number = (outcome: Call['outcome']) => calls.filter((call) => call.outcome === outcome).length;
  // The time limit, and one for a busy machine.
  const late = calls.filter(({ from, to }) => to - from > callTimeoutMs + 2000);
  const wrong = calls.filter(({ outcome }) => outcome === 'wrong');
  const failed = calls.filter(
    (call) =>
      call.outcome === 'failed' &&
      !struck.some(({ from, to }) => from <= call.to && to + recovering >= call.from),
  );
  const problems = [
    ...late.map(({ method, from, to }) => `${method} came to an end after ${to - from} ms`),
    ...wrong.map(({ method }) => `an answer of ${method} to another question`),
    ...failed.map(
      ({ method, from }) => `${method} failed at ${new Date(from).toISOString()}, without a fault`,
    ),
    ...(number('answered') === 0 ? ['no call was answered'] : []),
  ];
  const unanswered = afterwards.filter(({ outcome }) => outcome !== 'answered');
  return [
    {
      what: 'calls',
      expected: calls.length,
      got: `${number('answered')} answered, ${number('failed')} failed`,
      problems,
    },
    {
      what: 'calls once all was quiet',
      expected: afterwards.length,
      got: afterwards.length - unanswered.length,
      problems: unanswered.map(({ method, outcome }) => `${method}: ${outcome}`),
    },
  ];
}
