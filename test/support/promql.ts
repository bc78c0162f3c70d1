import { parser } from '@prometheus-io/lezer-promql';

interface Matcher {
  label: string;
  matches(value: string): boolean;
}

/** The series that an expression selects. */
interface Selector {
  text: string;
  metric: string;
  matchers: Matcher[];
}

/** What an expression of PromQL needs from a scrape. */
export interface Query {
  selectors: Selector[];
  /** Labels that it groups or joins by. */
  groups: string[];
}

/** A series of a scrape. */
export interface Series {
  metric: string;
  labels: Record<string, string>;
  value: number;
}

/** Reads an expression with Prometheus's own grammar. Throws if it is malformed. */
export function readQuery(expression: string): Query {
  const query: Query = { selectors: [], groups: [] };
  const text = (node: { from: number; to: number }) => expression.slice(node.from, node.to);
  parser.parse(expression).iterate({
    enter({ type, node }) {
      if (type.isError) throw new Error(`malformed at ${node.from}: ${expression}`);
      const last = query.selectors.at(-1);
      if (type.name === 'VectorSelector')
        query.selectors.push({ text: text(node), metric: '', matchers: [] });
      if (type.name === 'Identifier' && last) last.metric = text(node);
      if (type.name === 'UnquotedLabelMatcher') last?.matchers.push(readMatcher(text(node)));
      if (type.name === 'GroupingLabels')
        query.groups.push(
          ...text(node)
            .split(/[\s,()]+/)
            .filter(Boolean),
        );
    },
  });
  return query;
}

function readMatcher(text: string): Matcher {
  const [, label = '', operator = '', quoted = ''] = /^(\w+)\s*(=~|!~|!=|=)\s*(".*")$/s.exec(text) ?? [];
  const value = JSON.parse(quoted) as string;
  // Prometheus anchors its expressions.
  const test = operator.includes('~')
    ? new RegExp(`^(?:${value})$`)
    : { test: (its: string) => its === value };
  return { label, matches: (its) => test.test(its) !== operator.startsWith('!') };
}

/** The series of a scrape that a selector selects. */
export function selected(scrape: readonly Series[], selector: Selector | undefined): Series[] {
  const { metric, matchers } = selector ?? { metric: '', matchers: [] };
  return scrape.filter(
    (series) =>
      series.metric === metric && matchers.every(({ label, matches }) => matches(series.labels[label] ?? '')),
  );
}

/** Reads a scrape in Prometheus's text format. */
export function readScrape(text: string): Series[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, metric = '', labels = '', value] = /^([a-zA-Z_:][\w:]*)(\{.*\})? (\S+)/.exec(line) ?? [];
      const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)];
      return {
        metric,
        labels: Object.fromEntries(pairs.map(([, name, its]) => [name, its])),
        value: Number(value),
      };
    });
}
