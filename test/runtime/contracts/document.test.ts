import { fromFile, Parser } from '@asyncapi/parser';
import { toStandardJsonSchema } from '@valibot/to-json-schema';
import { type } from 'arktype';
import * as v from 'valibot';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { projectFile } from '../../../dev/stack/project.ts';
import { breakingChanges } from '../../../runtime/contracts/diff.ts';
import { asyncapiDocument } from '../../../runtime/contracts/document.ts';
import type { Json } from '../../../runtime/contracts/document-types.ts';
import { checkExamples } from '../../../runtime/contracts/examples.ts';
import { importBundle, loadContracts } from '../../../runtime/contracts/load.ts';
import { contractsPage } from '../../../runtime/contracts/page.ts';
import { routesOf } from '../../../runtime/contracts/routes.ts';
import { type Contract, defineCall, defineMessage } from '../../../runtime/functions.ts';
import { toService } from '../../../runtime/topology/service-file.ts';

const service = toService({
  service: 'parcels',
  custom: {
    warren: {
      exchanges: { parcels: { type: 'topic' }, rpc: { type: 'direct' } },
      queues: {
        send: { bindings: [{ exchange: 'parcels', routingKey: '*.ordered.#' }] },
        price: { kind: 'rpc', bindings: [{ exchange: 'rpc', routingKey: 'price' }] },
      },
    },
  },
  functions: { 'send-parcel': { events: [{ rabbitmq: { queue: 'send' } }] } },
});
const schema = z.object({ to: z.string() });
const documentOf = (...contracts: unknown[]) =>
  asyncapiDocument({ title: 'parcels', version: '1.2.3' }, routesOf(contracts as Contract[], service));
/** The errors that the official parser finds. */
const errorsIn = async (document: Json) => {
  const diagnostics = await new Parser().validate(JSON.stringify(document));
  return diagnostics
    .filter(({ severity }) => severity === 0)
    .map(({ message, path }) => [message, path.join('.')]);
};
const category: z.ZodType = z.object({
  name: z.string(),
  get parts() {
    return z.array(category);
  },
});

const node: v.GenericSchema<unknown> = v.object({
  to: v.string(),
  at: v.date(),
  next: v.nullable(v.lazy(() => node)),
});

describe('asyncapiDocument', () => {
  it('the official parser accepts keys with parameters, versions, events, recursive schemas and calls', async () => {
    const common = {
      exchange: 'parcels',
      key: '{country}.ordered',
      keyExamples: ['no.ordered'],
      examples: [{ to: 'Oslo' }],
    };
    const document = documentOf(
      defineMessage({ name: 'parcel', ...common, schema, version: 1 }),
      defineMessage({ name: 'parcel', ...common, schema, version: 2, reply: z.object({ id: z.uuid() }) }),
      defineMessage({ name: 'binary', ...common, schema, cloudEvents: { source: '/parcels' } }),
      defineMessage({
        name: 'structured',
        ...common,
        schema,
        cloudEvents: { source: '/p', mode: 'structured' },
      }),
      defineMessage({ name: 'tree', ...common, examples: [], schema: category }),
      defineMessage({ name: 'by-arktype', ...common, schema: type({ to: 'string' }) }),
      defineMessage({
        name: 'by-valibot',
        ...common,
        schema: toStandardJsonSchema(v.object({ to: v.string() })),
      }),
      defineMessage({ name: 'to-a-queue', exchange: '', key: 'send', schema }),
      defineCall({ method: 'price', request: schema, reply: z.number() }),
    );
    expect(await errorsIn(document)).toEqual([]);
    expect(document['asyncapi']).toBe('3.1.0');
    expect(document['operations']).toMatchObject({
      'receive.parcel.v1.send': {
        action: 'receive',
        'x-warren-queue': 'send',
        'x-warren-functions': ['send-parcel'],
      },
      'send.parcel.v2': {
        reply: { messages: [{ $ref: '#/channels/parcel.v2.reply/messages/parcel.v2.reply' }] },
      },
    });
    expect(document['channels']).toMatchObject({
      'parcels.country.ordered': { parameters: { country: { examples: ['no'] } } },
    });
  });

  it.each([
    ['Zod', () => z.object({ to: z.string(), at: z.date(), next: z.nullable(category) })],
    ['ArkType', () => type.module({ node: { to: 'string', at: 'Date', 'next?': 'node' } }).node],
    ['Valibot', () => toStandardJsonSchema(node)],
  ])(
    'a schema of %s that contains itself and what JSON does not have is described',
    async (_, makeSchema) => {
      const document = documentOf(
        defineMessage({ name: 'tree', exchange: 'parcels', key: 'no.ordered', schema: makeSchema() }),
      );
      expect(await errorsIn(document)).toEqual([]);
      expect(JSON.stringify(document['components'])).toContain('"at":{}');
      expect(breakingChanges(document, document)).toEqual([]);
    },
  );

  it('two places whose names look the same have a channel each', async () => {
    const twins = toService({
      custom: {
        warren: {
          exchanges: { a: { type: 'topic' }, 'a.b': { type: 'topic' } },
          queues: { q: { bindings: ['a', 'a.b'].map((exchange) => ({ exchange, routingKey: '#' })) } },
        },
      },
    });
    const contracts = [
      defineMessage({ name: 'one', exchange: 'a', key: 'b.c', schema }),
      defineMessage({ name: 'two', exchange: 'a.b', key: 'c', schema }),
    ];
    const document = asyncapiDocument({ title: 't', version: '1' }, routesOf(contracts, twins));
    const channels = Object.values(document['channels'] as Record<string, Json>).map((channel) => [
      (channel['bindings'] as { amqp: { exchange: Json } }).amqp.exchange['name'],
      channel['address'],
      Object.keys(channel['messages'] as Json),
    ]);
    expect(channels).toEqual([
      ['a', 'b.c', ['one']],
      ['a.b', 'c', ['two']],
    ]);
    expect(await errorsIn(document)).toEqual([]);
  });

  it('the committed document of the sample is what the official parser accepts', async () => {
    const { document, diagnostics } = await fromFile(new Parser(), projectFile('asyncapi.json')).parse();
    expect(diagnostics.filter(({ severity }) => severity === 0)).toEqual([]);
    const names = document
      ?.allMessages()
      .all()
      .map((each) => each.id());
    expect(names).toEqual(
      expect.arrayContaining(['alert-raised', 'picture-uploaded', 'walk-ordered', 'ping.reply']),
    );
  });

  it('a contract that does not fit the topology is an error that names the contract, the exchange and the key', () => {
    const message = (exchange: string, key: string) =>
      defineMessage({ name: 'parcel', exchange, key, schema });
    expect(() => documentOf(message('parcel', 'x'))).toThrow(
      'contract "parcel": exchange "parcel" is not declared in custom.warren.exchanges: "parcels", "rpc"',
    );
    expect(() => documentOf(message('parcels', 'no.lost'))).toThrow(
      'contract "parcel": no queue is bound for exchange "parcels" and key "no.lost"',
    );
    expect(() => documentOf(message('', 'sent'))).toThrow('contract "parcel": there is no queue "sent"');
    const twice = message('parcels', 'no.ordered');
    expect(() => documentOf(twice, twice)).toThrow('contract "parcel": expected a unique name and version');
  });

  it.each([
    ['{country}.ordered', true],
    ['no.ordered.late', true],
    ['{a}.{b}.{c}', true],
    ['no.lost', false],
    ['ordered', false],
    ['no.{x}', true],
  ])('a key of %j reaches a queue bound to "*.ordered.#": %j', (key, isReached) => {
    const describe = () => documentOf(defineMessage({ name: 'parcel', exchange: 'parcels', key, schema }));
    if (isReached) describe();
    else expect(describe).toThrow('no queue is bound');
  });

  it('a schema without JSON Schema needs one in its contract, and the error names the contract', () => {
    const plain = {
      '~standard': { version: 1, vendor: 'own', validate: (value: unknown) => ({ value }) },
    } as const;
    const common = { name: 'parcel', exchange: 'parcels', key: 'no.ordered', schema: plain } as const;
    expect(() => documentOf(defineMessage(common))).toThrow(
      'contract "parcel": jsonSchema: expected the JSON Schema of its bodies, because own has no Standard JSON Schema',
    );
    const document = documentOf(defineMessage({ ...common, jsonSchema: { type: 'string' } }));
    expect(document['components']).toMatchObject({ schemas: { parcel: { type: 'string' } } });
  });
});

describe('loadContracts', () => {
  it.each([
    [[], 'custom.warren.contracts: expected the modules that export contracts'],
    [['nowhere.ts'], 'custom.warren.contracts: nowhere.ts: there is no such file'],
    [
      ['shared/database/id.ts'],
      'shared/database/id.ts: expected exports made with defineMessage or defineCall',
    ],
    [['README.md'], 'custom.warren.contracts: README.md: cannot be imported'],
  ])('contracts: %j is an error that names the file', async (paths, expected) => {
    await expect(loadContracts(projectFile('.'), paths)).rejects.toThrow(expected);
  });

  it('an example that breaks its contract is an error that names the contract and the field', async () => {
    const example = (given: unknown) =>
      defineMessage({
        name: 'parcel',
        exchange: 'parcels',
        key: '{a}.{b}',
        keyExamples: ['x.y', 'x'],
        schema: z.object({ kg: z.number(), at: z.coerce.date().optional() }),
        examples: [{ kg: 1, at: new Date(0) }, given],
      }) as unknown as Contract;
    await expect(checkExamples([example({ kg: '1' })])).rejects.toThrow(
      [
        'examples break their contracts:',
        'contract "parcel": examples[1]: kg: expected number, got string',
        'contract "parcel": keyExamples: expected {a}.{b}, got "x"',
      ].join('\n  '),
    );
  });

  it('contracts in TypeScript are bundled on a Node that cannot load them', async () => {
    const module = (await importBundle(projectFile('.'), 'shared/rpc/contracts.ts')) as { ping: Contract };
    expect(module.ping).toMatchObject({ kind: 'call', name: 'ping', exchange: 'rpc' });
  });
});

describe('contractsPage', () => {
  let page: string;
  beforeAll(() => {
    const text = 'May be <b>"late"</b> & wet, with a `<message_id>`';
    page = contractsPage(
      documentOf(
        defineMessage({
          name: 'parcel',
          exchange: 'parcels',
          key: '{country}.ordered',
          schema,
          summary: text,
        }),
        defineCall({ method: 'price', request: schema, reply: z.number() }),
      ),
    );
  });

  it('the page has each message with its exchange, queues and schema', () => {
    for (const text of [
      'parcels (topic)',
      '{country}.ordered',
      'send (send-parcel)',
      'price.reply',
      '&quot;to&quot;',
      'with a <code>&lt;message_id&gt;</code>',
    ]) {
      expect(page).toContain(text);
    }
  });

  it('the page loads nothing, runs nothing and escapes every text', () => {
    expect(page).not.toMatch(/<script|src=|https?:|url\(|@import/);
    expect(page).toMatch(/default-src 'none'; style-src 'sha256-[\w+/]{43}='/);
    expect(page).toContain('May be &lt;b&gt;&quot;late&quot;&lt;/b&gt; &amp; wet');
  });
});
