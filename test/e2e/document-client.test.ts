import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { projectFile } from '../../dev/stack/project.ts';
import { createHandler as createWalk } from '../../functions/bookings/walk.ts';
import { Publisher } from '../../runtime/amqp/publisher.ts';
import { asyncapiDocument } from '../../runtime/contracts/document.ts';
import { routesOf } from '../../runtime/contracts/routes.ts';
import {
  cloudEventOf,
  defineMessage,
  type MessageContract,
  type MessagesFunction,
  onMessages,
  type ReceivedMessage,
} from '../../runtime/functions.ts';
import { toService } from '../../runtime/topology/service-file.ts';
import { unique } from '../support/broker.ts';
import { startClient } from '../support/clients/run.ts';
import { type OwnDatabase, ownDatabase } from '../support/database.ts';
import { openDeps, uniqueId } from '../support/deps.ts';
import { feeding, patience } from '../support/feeding.ts';
import { openVhost, type TestVhost } from '../support/vhost.ts';

const run = promisify(execFile);

let folder: string;
let vhost: TestVhost;
let publisher: Publisher;
let own: OwnDatabase;
const deps = openDeps();
/** The document as another project gets it: out of the packed sample. */
let packed: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'warren-document-'));
  const cwd = projectFile('.');
  const { stdout } = await run('npm', ['pack', '--silent', '--pack-destination', folder], { cwd });
  await run('tar', ['-xzf', join(folder, stdout.trim()), '-C', folder]);
  packed = join(folder, 'package/asyncapi.json');
  const { custom } = parse(await readFile(projectFile('serverless.yml'), 'utf8'), { merge: true });
  vhost = await openVhost(custom.warren);
  publisher = new Publisher({ url: vhost.url, name: unique('document-client') });
  own = await ownDatabase();
}, 60_000);
afterAll(async () => {
  await publisher?.close();
  await Promise.all([vhost?.close(), own?.drop(), deps.close()]);
  await rm(folder, { recursive: true, force: true });
});

/** Starts the Python client, which knows a document and nothing else. */
const send = (
  document: string,
  message: string,
  { body, url = vhost.url }: { body?: object; url?: string } = {},
) => {
  const given = body === undefined ? [] : [JSON.stringify(body)];
  return startClient('from_document.py', [url, document, message, ...given]);
};

describe('a Python client that is made from the published document', () => {
  it('document client: it orders a walk, which is booked, and gets the walker', async () => {
    const walker = { id: uniqueId(), name: 'Wanda', email: 'wanda@example.com' };
    await own.db.deleteFrom('walkers').execute();
    await own.db.insertInto('walkers').values(walker).execute();
    const handler = createWalk({ db: own.db, mailer: deps.mailer, publisher });
    const source = await feeding('dog-walk', handler, { url: vhost.url, vhost: vhost.name });
    const order_id = randomUUID();
    const order = { order_id, user_id: 1, dog: 'Señor Ñandú 🐕', at: '2027-02-03T10:00:00Z', minutes: 30 };
    const [line = ''] = await send(packed, 'walk-ordered', { body: order }).done;
    expect(JSON.parse(line)).toEqual({ status: 'booked', walker: { name: 'Wanda' } });
    const row = own.db.selectFrom('bookings').select(['status', 'dog']).where('id', '=', order_id);
    expect(await row.executeTakeFirst()).toEqual({ status: 'booked', dog: order.dog });
    await source.stop();
  });

  it('document client: an order that breaks the contract is dead-lettered with the field', async () => {
    const handler = createWalk({ db: own.db, mailer: deps.mailer, publisher });
    const source = await feeding('dog-walk', handler, { url: vhost.url, vhost: vhost.name });
    const order = { order_id: randomUUID(), user_id: 1, dog: 'Pepe', at: '2027-02-03T12:00:00Z', minutes: 5 };
    const client = send(packed, 'walk-ordered', { body: order });
    const { properties } = await vhost.take('warren.dead-letters');
    expect(String(properties.headers?.['x-warren-error'])).toContain('minutes: expected at least 10');
    client.kill();
    await client.done;
    await source.stop();
  });

  it.each([
    ['alert-raised', 'alert-log', 'too many requests'],
    ['picture-uploaded', 'log-upload', { image_id: 123456, user_id: 1, image_path: 'originals/123456.jpg' }],
  ])('document client: the example of %s reaches the queue %s', async (name, queue, body) => {
    await send(packed, name).done;
    const { content, properties } = await vhost.take(queue);
    expect(JSON.parse(content.toString())).toEqual(body);
    expect(properties).toMatchObject({ contentType: 'application/json', deliveryMode: 2 });
  });

  it('document client: each pattern of the document is one that Python can read', async () => {
    const program = `
import json, re, sys
def walk(value):
    if isinstance(value, dict):
        if isinstance(value.get("pattern"), str):
            re.compile(value["pattern"])
            print(value["pattern"])
        value = list(value.values())
    for each in value if isinstance(value, list) else []:
        walk(each)
walk(json.load(open(sys.argv[1])))`;
    const { stdout } = await run('python3', ['-c', program, packed]);
    expect(stdout.split('\n').length).toBeGreaterThan(5);
  });
});

describe('a Python client that is made from the document of versions and events', () => {
  const schema = z.object({ größe: z.string(), 'a/b~c': z.string().optional() });
  const place = { exchange: 'päckchen', key: 'bestellt.{land}', keyExamples: ['bestellt.öster-reich'] };
  const named = { name: 'parcel', ...place };
  const examples = [{ größe: 'groß', 'a/b~c': '住所' }];
  const first = defineMessage({
    ...named,
    schema: z.object({ size: z.string() }),
    examples: [{ size: 's' }],
  });
  const second = defineMessage({ ...named, schema, examples, version: 2 });
  const events = { source: '/p%C3%A4ckchen', type: 'com.example.päckchen' };
  const [binary, structured] = (['binary', 'structured'] as const).map((mode) =>
    defineMessage({ ...place, name: mode, schema, examples, cloudEvents: { ...events, mode } }),
  ) as [MessageContract<typeof schema>, MessageContract<typeof schema>];
  const section = {
    exchanges: { päckchen: { type: 'topic' } },
    queues: { send: { bindings: [{ exchange: 'päckchen', routingKey: '#' }] } },
  };
  const old = { size: 's' };
  type Handle = (message: ReceivedMessage & { body: unknown }) => Promise<unknown>;
  const versions = (handle: Handle) => onMessages({ contracts: [first, second], publisher }, handle);

  it.each<[string, object, object | undefined, (handle: Handle) => MessagesFunction]>([
    ['parcel', old, undefined, versions],
    ['parcel.v2', examples[0] ?? {}, undefined, versions],
    ['binary', examples[0] ?? {}, events, (handle) => onMessages({ contract: binary, publisher }, handle)],
    [
      'structured',
      examples[0] ?? {},
      events,
      (handle) => onMessages({ contract: structured, publisher }, handle),
    ],
  ])(
    'document client: it sends %s, and the function gets the body',
    async (name, body, event, makeHandler) => {
      const routes = routesOf(
        [first, second, binary, structured],
        toService({ custom: { warren: section } }),
      );
      const document = asyncapiDocument({ title: 'parcels', version: '1' }, routes);
      const path = join(folder, `${name}.json`);
      await writeFile(path, JSON.stringify(document));
      const other = await openVhost(section);
      const handled: { body: unknown; event: unknown }[] = [];
      const handler = makeHandler(async (message) =>
        handled.push({ body: message.body, event: cloudEventOf(message) }),
      );
      const source = await feeding('send', handler, { url: other.url, vhost: other.name });
      await send(path, name, { url: other.url }).done;
      await vi.waitFor(() => expect(handled).toHaveLength(1), patience);
      expect(handled[0]?.body).toEqual(body);
      if (event) expect(handled[0]?.event).toMatchObject(event);
      else expect(handled[0]?.event).toBeUndefined();
      await source.stop();
      await other.close();
    },
  );
});
