import { readdirSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { projectFile } from '../../dev/stack/project.ts';

interface Rules {
  groups: { rules: { alert: string; expr: string; annotations: Record<string, string> }[] }[];
}
interface Panel {
  title: string;
  targets?: { expr: string; legendFormat: string }[];
}
interface Dashboard {
  uid: string;
  title: string;
  panels: Panel[];
  templating: { list: { name: string; type: string; definition?: string }[] };
}

/** An expression of PromQL, and what shows it. */
export interface Shown {
  by: string;
  expression: string;
  /** Text with labels in double braces. */
  text: string;
}

export const rulesFile = projectFile('deploy/monitoring/warren.rules.yml');
const folder = projectFile('deploy/monitoring/dashboards');

export const alerts = (parse(readFileSync(rulesFile, 'utf8')) as Rules).groups.flatMap(({ rules }) => rules);
export const dashboards = readdirSync(folder).map(
  (name) => JSON.parse(readFileSync(`${folder}/${name}`, 'utf8')) as Dashboard,
);

/** All expressions of the rules and of the dashboards' panels and variables, as Grafana sends them if all is selected. */
export function shownExpressions(): Shown[] {
  const rules = alerts.map(({ alert, expr, annotations }) => ({
    by: alert,
    expression: expr,
    text: Object.values(annotations).join(' ').replaceAll('$labels.', ''),
  }));
  const panels = dashboards.flatMap(({ title, panels: all }) =>
    all.flatMap((panel) =>
      (panel.targets ?? []).map(({ expr, legendFormat }) => ({
        by: `${title}: ${panel.title}`,
        expression: expr.replaceAll('$__rate_interval', '5m').replaceAll(/\$\w+/g, '.*'),
        text: legendFormat,
      })),
    ),
  );
  const variables = dashboards.flatMap(({ title, templating }) =>
    templating.list.flatMap(({ name, definition }) => {
      const [, metric, label] = /^label_values\((.+), (\w+)\)$/.exec(definition ?? '') ?? [];
      return metric === undefined
        ? []
        : [{ by: `${title}: $${name}`, expression: metric, text: `{{${label}}}` }];
    }),
  );
  return [...rules, ...panels, ...variables];
}
