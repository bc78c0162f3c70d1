import { firstName, isNode, lastName, literals, type Node, nodes, walk } from './syntax.ts';

const errorClass = /(?:Error|Problem)$/;
/** Classes of commander whose text is printed by `--help`. */
const helpClasses = new Set(['Option', 'Argument', 'Command']);
/** Methods of commander whose text is printed by `--help`. */
const helpMethods = new Set([
  'description',
  'summary',
  'option',
  'requiredOption',
  'argument',
  'addHelpText',
]);
const logMethods = new Set(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'log']);
const logObject = /^(?:console|log|.*[lL]og(?:ger)?)$/;
const streams = new Set(['stdout', 'stderr']);
/** Properties that zod and problem+json show to the user. */
const shownProperties = new Set(['error', 'title', 'detail']);

/**
 * Literals that a user or an operator reads: texts of errors and problems, of `--help`, of the log and of the terminal.
 * A literal without a space is left out, because it is a code, a name or a flag.
 * @param read part of a literal that is read, without `${...}`
 */
export function messageLiterals(program: Node, read: (literal: Node) => string): Node[] {
  const found = new Map<number, Node>();
  const add = (shown: readonly unknown[]) => {
    for (const literal of shown.filter(isNode).flatMap(literals)) {
      if (/\S\s+\S/.test(read(literal).replaceAll(/\\n/g, ' '))) {
        found.set(literal.start, literal);
      }
    }
  };
  walk(program, (node) => {
    if (isMessage(node)) {
      add(nodes(node['arguments']));
    } else if (node.type === 'Property' && shownProperties.has(lastName(node['key']) ?? '')) {
      add([node['value']]);
    } else if (node.type.startsWith('Class') && errorClass.test(lastName(node['superClass']) ?? '')) {
      walk(node, (inner) => {
        if (inner.type === 'CallExpression' && isNode(inner['callee']) && inner['callee'].type === 'Super') {
          add(nodes(inner['arguments']));
        }
        return true;
      });
    }
    return true;
  });
  return [...found.values()];
}

/** Whether the arguments of a call or a `new` are shown to a user or an operator. */
function isMessage(node: Node): boolean {
  const { callee } = node;
  const name = lastName(callee) ?? '';
  if (node.type === 'NewExpression') {
    return errorClass.test(name) || helpClasses.has(name);
  }
  if (node.type !== 'CallExpression' || !isNode(callee) || callee.type !== 'MemberExpression') {
    return false;
  }
  const object = lastName(callee['object']) ?? firstName(callee['object']) ?? '';
  return (
    helpMethods.has(name) ||
    (logMethods.has(name) && logObject.test(object)) ||
    (name === 'write' && streams.has(object))
  );
}
