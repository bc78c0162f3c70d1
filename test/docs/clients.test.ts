import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { projectFile } from '../../dev/stack/project.ts';
import { createHandler as createWalk } from '../../functions/bookings/walk.ts';
import { createHandler as createAddPoints } from '../../functions/pictures/add-points.ts';
import { createHandler as createPing } from '../../functions/rpc/ping.ts';
import { Publisher } from '../../runtime/amqp/publisher.ts';
import { unique } from '../support/broker.ts';
import { startClient } from '../support/clients/run.ts';
import { type OwnDatabase, ownDatabase } from '../support/database.ts';
import { openDeps, uniqueId } from '../support/deps.ts';
import { feeding } from '../support/feeding.ts';
import { openVhost, type TestVhost } from '../support/vhost.ts';

const languages = { python: 'py', php: 'php', js: 'mjs' } as const;
type Language = keyof typeof languages;

let folder: string;
let vhost: TestVhost;
let publisher: Publisher;
let own: OwnDatabase;
const deps = openDeps();
/** The text of each section of the page. */
const sections = new Map<string, string>();

beforeAll(async () => {
  // Inside the project, so that the examples find their packages.
  await mkdir(projectFile('.data'), { recursive: true });
  folder = await mkdtemp(projectFile('.data/clients-'));
  const page = await readFile(projectFile('docs/clients.md'), 'utf8');
  for (const [, name = '', text = ''] of page.matchAll(
    /^### (.*)\n([\s\S]*?)(?=^### |^<!-- messages:end)/gm,
  )) {
    sections.set(name, text);
  }
  const { custom } = parse(await readFile(projectFile('serverless.yml'), 'utf8'), { merge: true });
  vhost = await openVhost(custom.warren);
  publisher = new Publisher({ url: vhost.url, name: unique('clients-page') });
  own = await ownDatabase();
});
afterAll(async () => {
  await publisher?.close();
  await Promise.all([vhost?.close(), own?.drop(), deps.close()]);
  await rm(folder, { recursive: true, force: true });
});

/** Runs the example of a section, changed as a client would change it. @returns what it printed. */
const run = async (section: string, language: Language, change = (code: string) => code) => {
  const [, code = ''] =
    new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(sections.get(section) ?? '') ?? [];
  expect(code, `${section} in ${language}`).not.toBe('');
  const file = join(folder, `${section}.${languages[language]}`);
  // Debian's package is not installed by Composer.
  const installed = code.replace('vendor/autoload.php', '/usr/share/php/PhpAmqpLib/autoload.php');
  await writeFile(file, change(installed));
  return startClient(file, [], { AMQP_URL: vhost.url }).done;
};

describe('docs/clients.md', () => {
  it.each([
    ['alert-raised', 'alert-log', 'too many requests'],
    ['picture-uploaded', 'log-upload', { image_id: 123456, user_id: 1, image_path: 'originals/123456.jpg' }],
  ])(
    'clients page: the examples of %s in three languages reach the queue %s',
    async (section, queue, body) => {
      for (const language of ['python', 'php', 'js'] as const) {
        await run(section, language);
        const { content, properties } = await vhost.take(queue);
        expect(JSON.parse(content.toString())).toEqual(body);
        expect(properties).toMatchObject({ contentType: 'application/json', deliveryMode: 2 });
        expect(properties.messageId).toMatch(/^[\da-f-]{32,36}$/);
      }
    },
  );

  it('clients page: a call in three languages is answered', async () => {
    const source = await feeding('ping', createPing({ publisher }), { url: vhost.url, vhost: vhost.name });
    for (const language of ['python', 'php', 'js'] as const) {
      expect(await run('ping', language)).toEqual(['Pong!1288111236.43']);
    }
    await source.stop();
  });

  it('clients page: an order in three languages is booked, and the client gets the walker', async () => {
    const walker = { id: uniqueId(), name: 'Wanda', email: 'wanda@example.com' };
    await own.db.deleteFrom('walkers').execute();
    await own.db.insertInto('walkers').values(walker).execute();
    const handler = createWalk({ db: own.db, mailer: deps.mailer, publisher });
    const source = await feeding('dog-walk', handler, { url: vhost.url, vhost: vhost.name });
    const hours = { python: '10', php: '12', js: '14' };
    for (const language of ['python', 'php', 'js'] as const) {
      const id = randomUUID();
      const [line = ''] = await run('walk-ordered', language, (code) =>
        code.replace(/[\da-f-]{36}/, id).replace('T10:', `T${hours[language]}:`),
      );
      expect(JSON.parse(line)).toEqual({ status: 'booked', walker: { name: 'Wanda' } });
      const row = own.db.selectFrom('bookings').select(['status', 'dog']).where('id', '=', id);
      expect(await row.executeTakeFirst()).toEqual({ status: 'booked', dog: 'Pepe' });
    }
    await source.stop();
  });

  it('clients page: an example whose body breaks the contract is dead-lettered with the field', async () => {
    const source = await feeding('add-points', createAddPoints({ db: own.db, publisher }), {
      url: vhost.url,
      vhost: vhost.name,
    });
    await run('picture-uploaded', 'python', (code) => code.replace('"user_id": 1', '"user_id": -1'));
    const { properties } = await vhost.take('warren.dead-letters');
    expect(String(properties.headers?.['x-warren-error'])).toContain('user_id: expected an integer from 1');
    await source.stop();
  });
});
