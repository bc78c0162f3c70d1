import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectFile } from '../../../dev/stack/project.ts';
import type { PublisherLike } from '../../../runtime/amqp/publisher.ts';
import { invoke, rabbitMQEvent, recordingPublisher } from '../../../runtime/testing.ts';

const pages = ['delayed-message-plugin', 'nestjs-rmq', 'bullmq'];
type Create = (dependencies: Record<string, unknown>) => Parameters<typeof invoke>[0];

describe('docs/migrate-from-*.md', () => {
  let folder: string;
  const files: string[] = [];
  beforeAll(async () => {
    // Inside the project, so that the examples find their packages.
    await mkdir(projectFile('.data'), { recursive: true });
    folder = await mkdtemp(projectFile('.data/migrate-'));
    for (const page of pages) {
      const text = await readFile(projectFile(`docs/migrate-from-${page}.md`), 'utf8');
      const written = text.matchAll(/^<!-- write (\S+) -->\n\n```ts\n([\s\S]*?)^```$/gm);
      for (const [, name = '', code = ''] of written) {
        files.push(name);
        await writeFile(join(folder, name), code);
      }
    }
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

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
