/** What to do about a variable that only serverless resolves. */
export const resolveAdvice =
  'use the output of `warren manifest` with --manifest, or install the serverless CLI in this project';

const keyAdvice =
  'serverless resolves no keys: choose a key without variables, and add the `name` of the queue or exchange';

/**
 * Describes each key and value that contains a variable of serverless.yml, such as `orders-${sls:stage}`. The broker would
 * accept it as a name, and declare a queue that no function consumes.
 *
 * @param place name of the value in the problems, such as `custom.warren`.
 */
export function unresolvedProblems(value: unknown, place: string): string[] {
  if (typeof value === 'string') return problemsIn(value, place, resolveAdvice);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, each]) => [
    ...problemsIn(key, place, keyAdvice),
    ...unresolvedProblems(each, `${place}.${key}`),
  ]);
}

function problemsIn(text: string, place: string, advice: string): string[] {
  return text.includes('${') ? [`${place}: expected a text without variables, got "${text}"; ${advice}`] : [];
}
