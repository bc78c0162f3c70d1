import { parse } from 'yaml';
import { table } from './markdown.ts';

interface Rules {
  groups: { rules: { alert: string; expr: string; for?: string; annotations: { description: string } }[] }[];
}

/** The table of the alert rules in Prometheus's own file. */
export function alarmsTable(rules: string): string {
  const all = (parse(rules) as Rules).groups.flatMap(({ rules: own }) => own);
  return table(
    ['alarm', 'meaning and first look', 'expression', 'for'],
    all.map(({ alert, annotations, expr, for: duration = '0m' }) => [
      `\`${alert}\``,
      annotations.description,
      `\`${expr}\``,
      duration,
    ]),
  );
}
