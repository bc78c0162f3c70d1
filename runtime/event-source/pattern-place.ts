/** A JSON value without elements or fields: the operand of a filter. */
export type Leaf = string | number | boolean | null;

export type Test = (value: Leaf) => boolean;

/** A place in a filter pattern. All places of a pattern share one list of problems. */
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

  /** Records a problem. It returns a test that every value fails, so that the reader can continue with the next problem. */
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
