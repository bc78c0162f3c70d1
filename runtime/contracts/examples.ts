import { WarrenError } from '../base/errors.ts';
import { problemsOf } from '../base/schema-problems.ts';
import type { Contract } from './contract.ts';
import { keyCheck } from './key.ts';
import { wireForm } from './wire-form.ts';

/**
 * Checks the examples of contracts, from which people and generators make their first client.
 *
 * @throws WarrenError ERR_CONFIG that lists each example that breaks its contract.
 */
export async function checkExamples(contracts: readonly Contract[]): Promise<void> {
  const problems = await Promise.all(contracts.map(problemsIn));
  const lines = problems.flat();
  if (lines.length > 0)
    throw new WarrenError('ERR_CONFIG', `examples break their contracts:\n  ${lines.join('\n  ')}`);
}

async function problemsIn(contract: Contract): Promise<string[]> {
  const { name, schema, key, examples = [], decode } = contract;
  const keys = (contract.kind === 'message' && contract.keyExamples) || [];
  const results = examples.map(async (each, at) => {
    const body = wireForm(each, decode === 'exact-json');
    const result = await schema['~standard'].validate(body);
    if (!result.issues) return [];
    return [`contract "${name}": examples[${at}]: ${problemsOf(result, 'body', body).join('; ')}`];
  });
  const wrong = keys.filter((each) => !keyCheck(key)(each));
  return [
    ...(await Promise.all(results)).flat(),
    ...wrong.map((each) => `contract "${name}": keyExamples: expected ${key}, got "${each}"`),
  ];
}
