/** The part of a routing key that a publisher chooses, such as `{severity}`: one word. */
const parameter = /\{([\w-]+)\}/g;

/** Whether a key has a parameter, so that each message needs a routing key of its own. */
export type HasParameters<Key extends string> = Key extends `${string}{${string}}${string}` ? true : false;

/** Whether each brace of a key belongs to a parameter, whose name AsyncAPI allows. */
export const hasValidParameters = (key: string): boolean => !/[{}]/.test(key.replaceAll(parameter, ''));

/** The names of a key's parameters, in their order. */
export function parametersOf(key: string): string[] {
  return [...key.matchAll(parameter)].map(([, name = '']) => name);
}

/** The values of a key's parameters in a routing key; undefined if it does not fit. */
export function parameterValues(key: string, routingKey: string): Record<string, string> | undefined {
  const values = patternOf(key).exec(routingKey)?.slice(1);
  return values && Object.fromEntries(parametersOf(key).map((name, at) => [name, values[at] ?? '']));
}

/** Makes the check of whether a routing key fits the key of a contract, such as `{severity}.{type}`. */
export function keyCheck(key: string): (routingKey: string) => boolean {
  const pattern = patternOf(key);
  return (routingKey) => pattern.test(routingKey);
}

function patternOf(key: string): RegExp {
  const literals = key.split(/\{[\w-]+\}/).map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${literals.join('([^.]+)')}$`);
}

/**
 * Whether a queue's binding can select messages of a contract.
 *
 * @param type of the exchange. A `headers` exchange selects by headers, which no contract has, so every binding may.
 * @param key of the contract; each of its parameters stands for a word.
 * @param bound routing key of the binding.
 */
export function reaches(type: string, key: string, bound: string): boolean {
  if (type === 'fanout' || type === 'headers') return true;
  return type === 'topic' ? overlap(key.split('.'), bound.split('.')) : keyCheck(key)(bound);
}

/** Whether some key has both forms: words, of which `*` and a parameter match any one, and `#` any number. */
function overlap([word, ...words]: readonly string[], [bound, ...others]: readonly string[]): boolean {
  if (bound === '#') {
    const skipped = overlap(word === undefined ? [] : [word, ...words], others);
    return skipped || (word !== undefined && overlap(words, ['#', ...others]));
  }
  if (word === undefined || bound === undefined) return word === bound;
  return (bound === '*' || keyCheck(word)(bound)) && overlap(words, others);
}
