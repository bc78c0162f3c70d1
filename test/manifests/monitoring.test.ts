import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type PrivateBroker, privateBroker } from '../../dev/stack/private-broker.ts';
import { projectFile } from '../../dev/stack/project.ts';
import { Publisher } from '../../runtime/amqp/publisher.ts';
import { applyTopology } from '../../runtime/topology/apply.ts';
import { compileTopology } from '../../runtime/topology/compile.ts';
import { readSection } from '../../runtime/topology/schema.ts';
import { dashboards, shownExpressions } from '../support/monitoring.ts';
import { readQuery, readScrape, type Series, selected } from '../support/promql.ts';
import { WorkerFolder } from '../support/worker-process.ts';

/** Publishes to the queue, or fails. */
const web = `
import { Publisher } from 'warren/functions';
const publisher = new Publisher({ url: process.env.AMQP_URL, name: 'web' });
export const send = async () => {
  await publisher.publish({ exchange: '', routingKey: 'work', body: { n: 'sent' } });
  return { statusCode: 202 };
};
export const broken = async () => { throw new Error('as requested'); };
`;

/** Labels that Prometheus itself gives to the series of a target. */
const targetLabels = ['job', 'instance'];
const patience = { timeout: 60_000, interval: 500 };

describe('deploy/monitoring', () => {
  let broker: PrivateBroker;
  let folder: WorkerFolder;
  let publisher: Publisher;
  let scrape: () => Promise<Series[]>;

  beforeAll(async () => {
    broker = await privateBroker((port) => [`prometheus.tcp.port = ${port}`], '', undefined, [
      'rabbitmq_prometheus',
    ]);
    const section = { queues: { work: {}, limited: { limit: '100/minute' } }, retryDelays: [1] };
    await applyTopology(broker.url, compileTopology(readSection(section)));
    folder = await WorkerFolder.make();
    await writeFile(join(folder.path, 'web.mjs'), web);
    const route = (name: string) => ({ handler: `web.${name}`, events: [{ httpApi: `POST /${name}` }] });
    const functions = {
      work: { events: [{ rabbitmq: { queue: 'work' } }] },
      send: route('send'),
      broken: route('broken'),
    };
    await folder.manifest(functions, section);
    const env = { AMQP_URL: broker.url };
    const worker = await folder.start(['--processes', '1'], env);
    const server = await folder.start([], env, 'serve');
    publisher = new Publisher({ url: broker.url, name: 'test' });

    for (const path of ['send', 'broken']) await fetch(`${server.url()}/${path}`, { method: 'POST' });
    await publisher.publish({ exchange: '', routingKey: 'work', body: { n: 'done' } });
    // It is no JSON, so that it fails, is retried, and is dead-lettered.
    await publisher.publish({
      exchange: '',
      routingKey: 'work',
      body: Buffer.from('{'),
      contentType: 'text/plain',
    });
    const families = 'family=queue_coarse_metrics&family=queue_consumer_count';
    const ofBroker = async () =>
      (await fetch(`http://127.0.0.1:${broker.tlsPort}/metrics/detailed?${families}`)).text();
    scrape = async () => {
      const texts = await Promise.all([worker.metrics(), server.metrics(), ofBroker()]);
      return texts.flatMap(readScrape);
    };
    const dead = readQuery('warren_failed_messages_total{to="dead-letters", reason="exhausted"}')
      .selectors[0];
    await vi.waitUntil(() => folder.steps('sent').includes('end'), patience);
    await vi.waitUntil(async () => selected(await scrape(), dead).some(({ value }) => value > 0), patience);
  }, 180_000);
  afterAll(async () => {
    await publisher?.close();
    await folder?.remove();
    await broker?.close();
  });

  it('every rule, panel and variable selects series that a worker, an HTTP host and a broker have', async () => {
    const without = async () => {
      const series = await scrape();
      return shownExpressions().flatMap(({ by, expression }) =>
        readQuery(expression)
          .selectors.filter((selector) => selected(series, selector).length === 0)
          .map(({ text }) => `${by}: ${text}`),
      );
    };
    await expect.poll(without, patience).toEqual([]);
  }, 90_000);

  it('every label that a rule, a panel or a variable groups by or shows is a label of its series', async () => {
    const series = await scrape();
    const unknown = shownExpressions().flatMap(({ by, expression, text }) => {
      const { selectors, groups } = readQuery(expression);
      const known = new Set([
        ...targetLabels,
        ...selectors
          .flatMap((selector) => selected(series, selector))
          .flatMap(({ labels }) => Object.keys(labels)),
      ]);
      const shown = [...text.matchAll(/\{\{\s*(\w+)\s*\}\}/g)].map(([, label = '']) => label);
      return [...groups, ...shown].filter((label) => !known.has(label)).map((label) => `${by}: ${label}`);
    });
    expect(unknown).toEqual([]);
  });

  it('the metrics show a message that succeeded, one that was retried and dead-lettered, and a publish over HTTP', async () => {
    const value = async (query: string) => {
      const series = await scrape();
      const found = readQuery(query).selectors.flatMap((selector) => selected(series, selector));
      return found.reduce((sum, each) => sum + each.value, 0);
    };
    expect(await value('warren_messages_total{function="work", outcome="done"}')).toBe(2);
    expect(await value('warren_failed_messages_total{queue="work", to="retry"}')).toBe(1);
    expect(
      await value('warren_failed_messages_total{queue="work", to="dead-letters", reason="exhausted"}'),
    ).toBe(1);
    expect(await value('warren_message_queue_duration_seconds_count{function="work"}')).toBe(3);
    expect(await value('warren_http_request_duration_seconds_count{route="/send", status="202"}')).toBe(1);
    const dead = 'rabbitmq_detailed_queue_messages_ready{queue="warren.dead-letters"}';
    await expect.poll(() => value(dead), patience).toBe(1);
  });

  it('the documentation has every metric of ours with its labels', async () => {
    const table = readFileSync(projectFile('docs/event-source.md'), 'utf8');
    const rows = table.split('\n').filter((line) => line.startsWith('| `warren_'));
    const wrong = (await scrape())
      .filter(({ metric }) => metric.startsWith('warren_'))
      .filter(({ metric, labels }) => {
        const name = metric.replace(/_(bucket|sum|count)$/, '');
        const [, names = '', its = ''] =
          rows.map((row) => row.split('|')).find(([, all]) => all?.includes(`\`${name}\``)) ?? [];
        const given = Object.keys(labels).filter((label) => label !== 'le');
        return (
          names === '' ||
          given.toSorted().join() !==
            its
              .split(/[\s,]+/)
              .filter(Boolean)
              .toSorted()
              .join()
        );
      });
    expect([...new Set(wrong.map(({ metric, labels }) => `${metric}: ${Object.keys(labels)}`))]).toEqual([]);
  });

  it('dashboards: each has a uid of its own, and no two panels have the same title', () => {
    expect(new Set(dashboards.map(({ uid }) => uid)).size).toBe(dashboards.length);
    for (const { panels } of dashboards) {
      const titles = panels.map(({ title }) => title);
      expect(titles.filter((title, n) => titles.indexOf(title) !== n)).toEqual([]);
    }
  });
});
