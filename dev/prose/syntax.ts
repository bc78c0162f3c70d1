/** A node of the syntax tree, as the parser makes it (ESTree with TypeScript's nodes). */
export interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

/** Whether a value of the tree is a node. */
export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}

/**
 * Calls `visit` for a node and all nodes below it, in the order of the source.
 * @param visit returns false to skip what is below the node.
 */
export function walk(node: Node, visit: (node: Node) => boolean | undefined): void {
  if (visit(node) === false) {
    return;
  }
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (isNode(child)) {
        walk(child, visit);
      }
    }
  }
}

/** The nodes of a list in the tree, such as `arguments`. */
export function nodes(value: unknown): Node[] {
  return Array.isArray(value) ? value.filter(isNode) : [];
}

/** Last name of a reference: `b` of `a.b`, `a.#b` and `b`; undefined for anything else. */
export function lastName(node: unknown): string | undefined {
  if (!isNode(node)) {
    return undefined;
  }
  if (node.type === 'MemberExpression') {
    return node['computed'] === true ? undefined : lastName(node['property']);
  }
  const { name } = node;
  return typeof name === 'string' ? name : undefined;
}

/** First name of a chain of properties and calls: `it` of `it.each([1])`. */
export function firstName(node: unknown): string | undefined {
  if (!isNode(node)) {
    return undefined;
  }
  switch (node.type) {
    case 'MemberExpression':
      return firstName(node['object']);
    case 'CallExpression':
      return firstName(node['callee']);
    case 'TaggedTemplateExpression':
      return firstName(node['tag']);
    default:
      return lastName(node);
  }
}

/** The string and template literals of an expression, except those in functions inside it. */
export function literals(expression: Node): Node[] {
  const found: Node[] = [];
  walk(expression, (node) => {
    if (node.type === 'TemplateLiteral' || (node.type === 'Literal' && typeof node['value'] === 'string')) {
      found.push(node);
    }
    return !node.type.endsWith('FunctionExpression');
  });
  return found;
}
