import { isLeaf, isObject } from './pattern-place.ts';

/**
 * The values that one place of a pattern can mean in a body: several if arrays lead there. Results are kept, because finding
 * them again for each element of an array would take quadratic time.
 */
export class Scope {
  readonly #elements: readonly unknown[];
  readonly #fields = new Map<string, Scope>();
  #hasLeaf: boolean | undefined;

  constructor(value: unknown) {
    this.#elements = elements(value);
  }

  field(name: string): Scope {
    const known = this.#fields.get(name);
    if (known) return known;
    const scope = new Scope(this.#elements.map((each) => fieldOf(each, name)));
    this.#fields.set(name, scope);
    return scope;
  }

  hasLeaf(): boolean {
    this.#hasLeaf ??= this.#elements.some(isLeaf);
    return this.#hasLeaf;
  }
}

/** The elements of an array and of the arrays in it. An empty array has one undefined element, which has no fields. */
export function elements(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) return [value];
  const found: unknown[] = [];
  // Not by recursion: a body may be nested deeper than the stack.
  const open: Iterator<unknown>[] = [value.values()];
  for (let inner = open.at(-1); inner; inner = open.at(-1)) {
    const { done, value: each } = inner.next();
    if (done) open.pop();
    else if (Array.isArray(each)) open.push(each.values());
    else found.push(each);
  }
  return found.length > 0 ? found : [undefined];
}

export function fieldOf(value: unknown, name: string): unknown {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}
