/** A value of JSON that holds no others: what a filter is applied to. */
export type Leaf = string | number | boolean | null;

export type Test = (value: Leaf) => boolean;

/** A place in a pattern, for error messages. All places that are read share the list of problems. */
export class Place {
  readonly path: string;
  readonly problems: string[];

  constructor(path: string, problems: string[]) {
    this.path = path;
    this.problems = problems;
  }

  at(key: string | number): Place {
    return new Place(`${this.path}.${key}`, this.problems);
  }

  /** Notes a problem; gives a test that nothing passes, so that reading can go on to the next problem. */
  refuse(expected: string, got: unknown): () => false {
    const json = JSON.stringify(got) ?? String(got);
    const shown = json.length > 80 ? `${json.slice(0, 80)}...` : json;
    this.problems.push(`${this.path}: expected ${expected}, got ${shown}`);
    return () => false;
  }
}

export function isLeaf(value: unknown): value is Leaf {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value);
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
