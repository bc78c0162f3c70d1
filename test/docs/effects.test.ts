import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectFile } from '../../dev/stack/project.ts';
import { openBroker, type TestBroker } from '../support/broker.ts';
import { type OwnDatabase, ownDatabase } from '../support/database.ts';
import { PageReader, readSteps, terminalEnv } from '../support/page.ts';
import { stack } from '../support/stack.ts';

describe('docs/effects.md', () => {
  let folder: string;
  let own: OwnDatabase;
  let broker: TestBroker;
  let reader: PageReader;

  beforeAll(async () => {
    [own, broker] = await Promise.all([ownDatabase(), openBroker()]);
    await broker.channel.assertQueue('shipped');
    folder = await mkdtemp(join(tmpdir(), 'warren-effects-'));
    await symlink(projectFile('node_modules'), join(folder, 'node_modules'));
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
    const { AMQP_URL } = stack;
    reader = new PageReader({
      folder,
      // The workspace has sources, and the package has compiled files.
      env: terminalEnv({ AMQP_URL, DATABASE_URL: own.url, NODE_OPTIONS: '--import tsx' }),
      repeated: /^never$/,
    });
  });
  afterAll(async () => {
    await broker.channel.deleteQueue('shipped');
    await Promise.all([broker.close(), own.drop(), rm(folder, { recursive: true, force: true })]);
  });

  it('effects page: each step does what the page shows, and each parcel has one message', async () => {
    for (const step of readSteps(await readFile(projectFile('docs/effects.md'), 'utf8'))) {
      await reader.follow(step);
    }
    const bodies = (await broker.drain('shipped')).map(({ content }) => content.toString());
    expect(bodies.toSorted()).toEqual(['{"city":"Oslo"}', '{"city":"Rome"}']);
  }, 120_000);
});
