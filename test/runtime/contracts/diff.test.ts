import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { breakingChanges } from '../../../runtime/contracts/diff.ts';
import { asyncapiDocument } from '../../../runtime/contracts/document.ts';
import { routesOf } from '../../../runtime/contracts/routes.ts';
import {
  type Contract,
  defineCall,
  defineMessage,
  type MessageDefinition,
} from '../../../runtime/functions.ts';
import { toService } from '../../../runtime/topology/service-file.ts';

const service = toService({
  custom: {
    warren: {
      exchanges: { parcels: { type: 'topic' }, others: { type: 'fanout' }, rpc: { type: 'direct' } },
      queues: {
        send: { bindings: [{ exchange: 'parcels', routingKey: 'ordered' }, { exchange: 'others' }] },
        price: { kind: 'rpc', bindings: [{ exchange: 'rpc', routingKey: 'price' }] },
      },
    },
  },
  functions: { send: { events: [{ rabbitmq: { queue: 'send' } }] } },
});
const documentOf = (...contracts: unknown[]) =>
  asyncapiDocument({ title: 'parcels', version: '1' }, routesOf(contracts as Contract[], service));
const old = { to: z.string(), kg: z.number().max(30), size: z.enum(['s', 'm']), note: z.string().optional() };
const parcel = (schema: z.ZodType, given: Partial<MessageDefinition> = {}) =>
  defineMessage({ name: 'parcel-ordered', exchange: 'parcels', key: 'ordered', ...given, schema });
const changes = (before: z.ZodType, after: z.ZodType, given: Partial<MessageDefinition> = {}) =>
  breakingChanges(documentOf(parcel(before, given)), documentOf(parcel(after, given))).map(
    ({ message, breaks, change }) => `${message}: ${breaks}: ${change}`,
  );

describe('breakingChanges', () => {
  it.each<[string, Record<string, z.ZodType>, string[]]>([
    ['nothing', {}, []],
    ['a further optional property', { tip: z.number().optional() }, []],
    ['a new required property', { tip: z.number() }, ['publishers: tip: is now required']],
    [
      'a required property that becomes optional',
      { to: z.string().optional() },
      ['consumers: to: was always there, and may now be missing'],
    ],
    [
      'another type',
      { kg: z.string() },
      [
        'publishers: kg: accepted number, now only string',
        'consumers: kg: was number, and may now be string',
      ],
    ],
    [
      'a lower limit',
      { kg: z.number().max(20) },
      ['publishers: kg: accepted maximum 30, now only maximum 20'],
    ],
    [
      'a higher limit',
      { kg: z.number().max(40) },
      ['consumers: kg: was maximum 30, and may now be maximum 40'],
    ],
    ['fewer values', { size: z.enum(['s']) }, ['publishers: size: no longer accepts "m", only "s"']],
    ['more values', { size: z.enum(['s', 'm', 'l']) }, ['consumers: size: was "s", "m", and may now be "l"']],
  ])('%s', (_, further, expected) => {
    const found = changes(z.object(old), z.object({ ...old, ...further }));
    expect(found).toEqual(expected.map((each) => `parcel-ordered: ${each}`));
  });

  it('a removed property breaks its readers, also if it was optional', () => {
    const { to, note, ...kept } = old;
    expect(changes(z.object(old), z.object(kept))).toEqual([
      'parcel-ordered: consumers: to: was removed',
      'parcel-ordered: consumers: note: was removed',
    ]);
  });

  it('a message that only clients publish has no readers elsewhere, and one of the service no publishers', () => {
    const wider = z.object({ ...old, size: z.enum(['s', 'm', 'l']) });
    expect(changes(z.object(old), wider, { from: 'clients' })).toEqual([]);
    expect(changes(wider, z.object(old), { from: 'service' })).toEqual([]);
    expect(changes(z.object(old), wider, { from: 'service' })).toHaveLength(1);
    expect(changes(wider, z.object(old), { from: 'clients' })).toHaveLength(1);
  });

  it('a message that is removed, or goes to another exchange or key, breaks both sides', () => {
    const before = documentOf(parcel(z.object(old)));
    const gone = breakingChanges(
      before,
      documentOf(defineMessage({ name: 'x', exchange: 'others', schema: z.string() })),
    );
    expect(gone.map(({ breaks, change }) => [breaks, change])).toEqual([
      ['publishers', 'the message was removed'],
      ['consumers', 'the message was removed'],
    ]);
    const moved = breakingChanges(
      before,
      documentOf(parcel(z.object(old), { exchange: 'others', key: 'x' })),
    );
    expect(moved.map(({ change }) => change)).toEqual([
      ...Array(2).fill(expect.stringMatching(/^exchange: was \{"name":"parcels".* is now \{"name":"others"/)),
      ...Array(2).fill('routing key: was "ordered", is now "x"'),
    ]);
  });

  it('a version beside the old one breaks nothing, and its removal does', () => {
    const [first, second] = [1, 2].map((version) => parcel(z.object({ n: z.literal(version) }), { version }));
    expect(breakingChanges(documentOf(first), documentOf(first, second))).toEqual([]);
    expect(breakingChanges(documentOf(first, second), documentOf(second))).toHaveLength(2);
  });

  it('a reply is read by callers: it may get further properties, and its type may not change', () => {
    const price = (reply: z.ZodType) =>
      defineCall({ method: 'price', request: z.object({ to: z.string() }), reply, from: 'clients' });
    const before = documentOf(price(z.object({ euros: z.number() })));
    expect(
      breakingChanges(before, documentOf(price(z.object({ euros: z.number(), tax: z.number() })))),
    ).toEqual([]);
    expect(breakingChanges(before, documentOf(price(z.object({ euros: z.string() }))))).toEqual([
      { message: 'price.reply', breaks: 'consumers', change: 'euros: was number, and may now be string' },
    ]);
  });
});
