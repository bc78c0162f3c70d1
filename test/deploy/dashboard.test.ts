import { describe, expect, it } from 'vitest';
import { alarms } from '../../deploy/alarms.ts';

describe('the dashboard', () => {
  it('has at most 100 alarms in a widget, because CloudWatch refuses more, and all of them', () => {
    const functions = Object.fromEntries(
      Array.from({ length: 120 }, (_, n) => [`f${n}`, { name: `warren-prod-f${n}`, timeout: 6 }]),
    );
    const options = { prefix: 'warren-prod', functions, mail: '', concurrencyQuota: 1000, ses: false };
    const resources = alarms({ ...options, feed: 'worker' });
    const body = resources['Dashboard']?.Properties?.['DashboardBody'];
    const [text] = (body as { 'Fn::Sub': [string, unknown] })['Fn::Sub'];
    const { widgets } = JSON.parse(text) as { widgets: { properties: { alarms?: string[] } }[] };
    const shown = widgets.flatMap(({ properties }) => (properties.alarms ? [properties.alarms] : []));
    expect(Math.max(...shown.map(({ length }) => length))).toBe(100);
    const made = Object.values(resources).filter(({ Type }) => Type === 'AWS::CloudWatch::Alarm');
    expect(new Set(shown.flat()).size).toBe(made.length);
  });
});
