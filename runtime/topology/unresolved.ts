import type { Problem } from '../base/problems.ts';

/** What to do about a variable that only serverless resolves. */
export const resolveAdvice =
  'use the output of `warren manifest` with --manifest, or install the serverless CLI in this project';

const keyAdvice =
  'serverless resolves no keys: choose a key without variables, and add the `name` of the queue or exchange';

/**
 * Describes each key and value that contains a variable of serverless.yml, such as `orders-${sls:stage}`. The broker would
 * accept it as a name, and declare a queue that no function consumes.
 *
 * @param path of the value, such as `custom`, `warren`.
 * @param name of the value in the problems, default its path.
 */
export function unresolvedProblems(
  value: unknown,
  path: Problem['path'],
  name = path.map(String).join('.'),
): Problem[] {
  const problemsIn = (text: string, advice: string) => {
    const expected = `expected a text without variables, got "${text}"; ${advice}`;
    return text.includes('${') ? [{ path, text: `${name}: ${expected}` }] : [];
  };
  if (typeof value === 'string') return problemsIn(value, resolveAdvice);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, each]) => [
    ...problemsIn(key, keyAdvice),
    ...unresolvedProblems(each, [...path, key], `${name}.${key}`),
  ]);
}
