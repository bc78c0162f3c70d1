import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { projectFile } from '../../../dev/stack/project.ts';
import { Publisher, type PublisherLike } from '../../../runtime/amqp/publisher.ts';
import { invoke, rabbitMQEvent, recordingPublisher } from '../../../runtime/testing.ts';
import { applyTopology } from '../../../runtime/topology/apply.ts';
import { compileTopology } from '../../../runtime/topology/compile.ts';
import { readDelayStates } from '../../../runtime/topology/delay-states.ts';
import { readSection } from '../../../runtime/topology/schema.ts';
import { openVhost, type TestVhost } from '../../support/vhost.ts';

const pages = ['delayed-message-plugin', 'nestjs-rmq', 'bullmq'];
type Create = (dependencies: Record<string, unknown>) => Parameters<typeof invoke>[0];

describe('docs/migrate-from-*.md', () => {
  let folder: string;
  const files: string[] = [];
  let vhost: TestVhost;
  let onBroker: Publisher;
  beforeAll(async () => {
    vhost = await openVhost({});
    onBroker = new Publisher({ url: vhost.url, name: 'migrate' });
    // Inside the project, so that the examples find their packages.
    await mkdir(projectFile('.data'), { recursive: true });
    folder = await mkdtemp(projectFile('.data/migrate-'));
    for (const page of pages) {
      const text = await readFile(projectFile(`docs/migrate-from-${page}.md`), 'utf8');
      const [, publish] = /^```ts\n(await publisher\.publish\([\s\S]*?)^```$/m.exec(text) ?? [];
      if (publish) await writeFile(join(folder, 'publish.ts'), publishing(publish));
      const written = text.matchAll(/^<!-- write (\S+) -->\n\n```ts\n([\s\S]*?)^```$/gm);
      for (const [, name = '', code = ''] of written) {
        files.push(name);
        await writeFile(join(folder, name), code);
      }
    }
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
    await onBroker.close();
    await vhost.close();
  });

  /** A module whose function runs the lines of a page that publish. */
  const publishing = (lines: string) =>
    `import type { PublisherLike } from 'warren/functions';\nexport const publish = async (publisher: PublisherLike) => {\n${lines}};\n`;

  /** The bodies of one call to the function of a page, and the messages that it published. */
  const call = async (file: string, bodies: readonly unknown[], dependencies: Record<string, unknown>) => {
    const { createHandler } = (await import(pathToFileURL(join(folder, file)).href)) as {
      createHandler: Create;
    };
    const own = recordingPublisher();
    await invoke(
      createHandler({ publisher: own, ...dependencies }),
      rabbitMQEvent(bodies.map((body) => ({ queue: 'q', body }))),
    );
    return own.published.map(({ exchange, routingKey }) => `${exchange} ${routingKey}`);
  };

  it('the examples of the migration pages compile with the strict settings of this project', async () => {
    expect(files).toEqual(['send-reminder.ts', 'send-parcel.ts', 'send-mail.ts']);
    const config = { extends: '../../tsconfig.json', include: ['*.ts'] };
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config));
    const tsc = projectFile('node_modules/typescript/bin/tsc');
    const { stdout } = await promisify(execFile)(process.execPath, [tsc, '-p', folder]);
    expect(stdout).toBe('');
  }, 120_000);

  it('the page on the delayed-message plugin: the reminder is published with its delay', async () => {
    const { remind } = (await import(pathToFileURL(join(folder, 'send-reminder.ts')).href)) as {
      remind: (publisher: PublisherLike, user: number) => Promise<unknown>;
    };
    const own = recordingPublisher();
    await remind(own, 7);
    expect(own.published).toMatchObject([
      { exchange: 'reminders', body: { user_id: 7 }, delay: '90 seconds' },
    ]);
  });

  it('the page on the delayed-message plugin: with the exchange of the page the reminder waits at the broker, and its queue gets it by its key', async () => {
    const text = await readFile(projectFile('docs/migrate-from-delayed-message-plugin.md'), 'utf8');
    const shown = parse(/^In serverless.yml: `(.*?)`/m.exec(text)?.[1] ?? '') as object;
    const bindings = [{ exchange: 'reminders', routingKey: 'user' }];
    const topology = compileTopology(readSection({ ...shown, queues: { reminders: { bindings } } }));
    await applyTopology(vhost.url, topology);
    const { remind } = (await import(pathToFileURL(join(folder, 'send-reminder.ts')).href)) as {
      remind: (publisher: PublisherLike, user: number) => Promise<unknown>;
    };
    await remind(onBroker, 7);
    const { levels } = await readDelayStates({ topology, url: vhost.url });
    const [level, ...others] = levels.filter(({ messages }) => messages !== 0);
    expect(others).toEqual([]);
    expect(level).toMatchObject({ messages: 1 });
    // Ninety seconds are between the shortest and the longest wait of its level.
    expect(level?.seconds).toBeLessThanOrEqual(90);
    expect(level?.dueWithin).toBeGreaterThanOrEqual(90);
    await onBroker.publish({ exchange: 'reminders', routingKey: 'user', body: { user_id: 8 } });
    expect((await vhost.take('reminders')).content.toString()).toBe('{"user_id":8}');
  });

  it("the page on NestJS: apply refuses a queue that was declared as Nest's clients and servers do", async () => {
    await vhost.channel.assertQueue('parcels', { durable: true });
    const topology = compileTopology(readSection({ queues: { parcels: {} } }));
    await expect(applyTopology(vhost.url, topology)).rejects.toThrow(/queue "parcels" can't be declared/);
  });

  it('the page on BullMQ: the lines that publish put a message into a queue that is bound with their key', async () => {
    const bindings = [{ exchange: 'mails', routingKey: 'welcome' }];
    const section = { exchanges: { mails: { type: 'topic' } }, queues: { mails: { bindings } } };
    await applyTopology(vhost.url, compileTopology(readSection(section)));
    const { publish } = (await import(pathToFileURL(join(folder, 'publish.ts')).href)) as {
      publish: (publisher: PublisherLike) => Promise<void>;
    };
    await publish(onBroker);
    expect((await vhost.take('mails')).content.toString()).toBe('{"to":"a@example.com"}');
  });

  it('the page on NestJS: the function reads a message in the form of its client, and no other pattern', async () => {
    const sent: unknown[] = [];
    const data = { order_id: 1, city: 'Paris' };
    const bodies = [
      { pattern: 'parcel.ordered', data },
      { pattern: 'parcel.lost', data },
    ];
    const copies = await call('send-parcel.ts', bodies, {
      send: async (parcel: unknown) => sent.push(parcel),
    });
    expect(sent).toEqual([data]);
    expect(copies).toEqual(['warren.dead q']);
  });

  it('the page on BullMQ: an error is retried, and a job that can never work is dead-lettered', async () => {
    const sendMail = async ({ to }: { to: string }) => {
      if (to.startsWith('late')) throw new Error('fails');
    };
    const bodies = ['a@example.com', 'late@example.com', 'nobody'].map((to) => ({ to }));
    const copies = await call('send-mail.ts', bodies, { sendMail });
    expect(copies.toSorted()).toEqual(['warren.dead q', 'warren.retry q.retry.1s']);
  });
});
