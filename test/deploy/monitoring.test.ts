import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { projectFile } from '../../dev/stack/project.ts';
import { alerts, rulesFile } from '../support/monitoring.ts';

const run = promisify(execFile);
const tests = projectFile('test/support/deploy/warren.rules.test.yml');

interface RuleTests {
  tests: { alert_rule_test: { alertname: string; exp_alerts: unknown[] }[] }[];
}

/** `promtool` is part of Debian's package `prometheus`. */
describe('the alert rules', () => {
  it('promtool accepts them', async () => {
    expect((await run('promtool', ['check', 'rules', rulesFile])).stdout).toContain(
      `SUCCESS: ${alerts.length} rules found`,
    );
  });

  it('each raises its alarm for the data of its test, and for no other', async () => {
    expect((await run('promtool', ['test', 'rules', tests])).stdout).toContain('SUCCESS');
    const tested = (parse(readFileSync(tests, 'utf8')) as RuleTests).tests
      .flatMap(({ alert_rule_test }) => alert_rule_test)
      .filter(({ exp_alerts }) => exp_alerts.length > 0)
      .map(({ alertname }) => alertname);
    expect([...new Set(tested)].toSorted()).toEqual(alerts.map(({ alert }) => alert).toSorted());
  });
});
