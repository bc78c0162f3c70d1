import { checkNumbers } from '../base/numbers.ts';
import type { FailurePolicy } from './failure-policy.ts';

const atLeastOne = { least: 1, whole: true, unlimited: true } as const;
const rules = {
  concurrency: atLeastOne,
  redeliveries: { least: 0, whole: true, unlimited: true },
  maxBytes: atLeastOne,
  maxReplyBytes: atLeastOne,
} as const;
const maxAge = { least: 0, unlimited: true } as const;

interface FunctionOptions extends Readonly<Partial<Record<keyof typeof rules, number | undefined>>> {
  policy?: Partial<FailurePolicy> | undefined;
}

/**
 * Checks the numbers among the options of a function, when it is created: with no message at a time, all of them would count as done,
 * and a limit that is not a number would be none.
 *
 * @throws WarrenError ERR_CONFIG that names each wrong option.
 */
export function checkFunctionNumbers(options: FunctionOptions): void {
  checkNumbers(options, rules);
  const { delays = [], ...policy } = options.policy ?? {};
  checkNumbers(policy, { maxAge }, 'policy.');
  checkNumbers(
    delays,
    delays.map(() => ({ least: 0 })),
    'policy.delays.',
  );
}
