import type { Section } from './schema.ts';

/** Arguments of a binding to a `headers` exchange: `x-match`, and the headers that a message must have. */
export type BindingArguments = Readonly<Record<string, string | number | boolean | null>>;

type DeclaredBinding = Section['queues'][string]['bindings'][number];

// RabbitMQ 3.10 and later; the first two do not compare headers whose name starts with `x-`.
const matches = ['all', 'any', 'all-with-x', 'any-with-x'];

/** The problems of a queue's binding; none if the broker routes by it as written. */
export function bindingProblems(
  queue: string,
  { exchange, arguments: args }: DeclaredBinding,
  exchanges: Section['exchanges'],
): string[] {
  const bound = `queue "${queue}" is bound to exchange "${exchange}"`;
  if (!Object.hasOwn(exchanges, exchange)) return [`${bound}, which is not declared`];
  const type = exchanges[exchange]?.type;
  if (type !== 'headers') {
    // The broker would accept the arguments and ignore them.
    return args ? [`${bound} with arguments, which only an exchange of type headers reads, not ${type}`] : [];
  }
  const { 'x-match': match = 'all', ...headers } = args ?? {};
  if (!matches.includes(String(match))) {
    return [`${bound}: arguments: x-match: expected ${matches.join(', ')}, got "${match}"`];
  }
  const compared = Object.keys(headers).filter(
    (name) => String(match).endsWith('-x') || !name.startsWith('x-'),
  );
  if (compared.length > 0) return [];
  const advice = 'add, for example, arguments: { x-match: any, country: nz }';
  return [
    `${bound} of type headers, but names no header to match, so it could not select messages; ${advice}`,
  ];
}
