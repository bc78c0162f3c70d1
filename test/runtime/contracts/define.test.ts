import { type } from 'arktype';
import * as v from 'valibot';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import { RejectedError, WarrenError } from '../../../runtime/base/errors.ts';
import { silentLog } from '../../../runtime/base/log.ts';
import { isContract } from '../../../runtime/contracts/define.ts';
import {
  CallError,
  defineCall,
  defineMessage,
  type MessageContract,
  type MessageDefinition,
  onBatch,
  onCalls,
  onMessages,
  type RpcClientLike,
} from '../../../runtime/functions.ts';
import { invoke, rabbitMQEvent, recordingPublisher } from '../../../runtime/testing.ts';

const parcel = z.object({ to: z.string(), kg: z.number().max(30), at: z.coerce.date().optional() });
const parcelOrdered = defineMessage({
  name: 'parcel-ordered',
  exchange: 'parcels',
  key: 'ordered',
  schema: parcel,
  messageId: ({ to }) => `parcel-${to}`,
});
const alertRaised = defineMessage({
  name: 'alert',
  exchange: 'alerts',
  key: '{severity}.{type}',
  schema: z.json(),
});

const errorOf = (work: () => unknown): unknown => {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error('expected an error');
};
const clientWith = (reply: Awaited<ReturnType<RpcClientLike['call']>>): RpcClientLike => ({
  call: async () => reply,
});

describe('defineMessage', () => {
  it('types: a publisher passes what the schema reads, and a handler gets what it returns', () => {
    type Body = Parameters<typeof parcelOrdered.message>[0];
    expectTypeOf<Body>().toEqualTypeOf<z.input<typeof parcel>>();
    expectTypeOf(parcelOrdered.message).parameter(0).not.toBeAny();
    expectTypeOf<{ to: number; kg: number }>().not.toExtend<Body>();
    expectTypeOf<{ to: string }>().not.toExtend<Body>();
    onMessages({ contract: parcelOrdered, publisher: recordingPublisher() }, async ({ body }) => {
      expectTypeOf(body).toEqualTypeOf<z.output<typeof parcel>>();
    });
    onBatch({ contract: parcelOrdered, publisher: recordingPublisher() }, async ([first]) => {
      expectTypeOf(first?.body).toEqualTypeOf<z.output<typeof parcel> | undefined>();
    });
  });

  it('types: a routing key is required if and only if the key has parameters', () => {
    expectTypeOf<[string]>().not.toExtend<Parameters<typeof alertRaised.message>>();
    expectTypeOf<[string, { routingKey: string }]>().toExtend<Parameters<typeof alertRaised.message>>();
    expectTypeOf<[{ to: string; kg: number }]>().toExtend<Parameters<typeof parcelOrdered.message>>();
  });

  it('types: schemas of Valibot and ArkType are as good as those of Zod', () => {
    const byValibot = defineMessage({ name: 'a', exchange: 'x', schema: v.object({ to: v.string() }) });
    const byArkType = defineMessage({ name: 'b', exchange: 'x', schema: type({ to: 'string' }) });
    expectTypeOf(byValibot.message).parameter(0).toEqualTypeOf<{ to: string }>();
    expectTypeOf(byArkType.message).parameter(0).toEqualTypeOf<{ to: string }>();
    for (const contract of [byValibot, byArkType]) {
      expect(contract.message({ to: 'Oslo' })).toMatchObject({
        exchange: 'x',
        routingKey: '',
        body: { to: 'Oslo' },
      });
      expect(() => contract.message({ to: 1 } as never)).toThrow(/^to: /);
    }
  });

  it('a message has the exchange, the key and the message id of its contract, and the body as it was given', () => {
    const body = { to: 'Oslo', kg: 2, at: '2027-01-08' };
    expect(parcelOrdered.message(body, { headers: { urgent: true } })).toEqual({
      exchange: 'parcels',
      routingKey: 'ordered',
      messageId: 'parcel-Oslo',
      headers: { urgent: true },
      body,
    });
    expect(parcelOrdered.message(body, { messageId: 'own' }).messageId).toBe('own');
  });

  it('a message of a key with parameters has a routing key that fits it', () => {
    const { routingKey } = alertRaised.message('late', { routingKey: 'critical.rate_limit' });
    expect(routingKey).toBe('critical.rate_limit');
    for (const wrong of ['critical', 'critical.rate.limit', '.x', '']) {
      const error = errorOf(() => alertRaised.message('late', { routingKey: wrong }));
      expect(error).toEqual(new RejectedError(`routing key: expected {severity}.{type}, got "${wrong}"`));
    }
  });

  it('a body that breaks the contract is refused at the publisher and dead-lettered with the same text', async () => {
    const wrong = { to: 7, kg: 40 };
    const refused = errorOf(() => parcelOrdered.message(wrong as never)) as RejectedError;
    expect(refused).toBeInstanceOf(RejectedError);
    expect(refused.message).toBe('to: expected string, got number; kg: Too big: expected number to be <=30');
    const publisher = recordingPublisher();
    const handler = onMessages({ contract: parcelOrdered, publisher }, async () => undefined);
    await invoke(handler, rabbitMQEvent([{ queue: 'parcels', body: wrong }]));
    expect(publisher.published).toMatchObject([
      { exchange: 'warren.dead', headers: { 'x-warren-error': `RejectedError: ${refused.message}` } },
    ]);
  });

  it('a contract checks a body once at the consumer, with one call of its schema', async () => {
    let checks = 0;
    const counted = z.object({ to: z.string() }).refine(() => {
      checks += 1;
      return true;
    });
    const contract = defineMessage({ name: 'counted', exchange: 'x', schema: counted });
    const handler = onMessages({ contract, publisher: recordingPublisher() }, async () => undefined);
    await invoke(handler, rabbitMQEvent([{ queue: 'q', body: { to: 'Oslo' } }]));
    expect(checks).toBe(1);
  });

  it('a name, a version or an asynchronous schema that cannot be used is an error of the settings', () => {
    const schema = z.string();
    for (const name of ['', 'two words', '1st', 'a/b']) {
      expect(() => defineMessage({ name, exchange: 'x', schema })).toThrow(WarrenError);
    }
    expect(() => defineMessage({ name: 'a', exchange: 'x', schema, version: 0 })).toThrow(
      /version: expected 1/,
    );
    const promised = {
      '~standard': { version: 1, vendor: 'own', validate: async (value: unknown) => ({ value }) },
    };
    const contract = defineMessage({ name: 'a', exchange: 'x', schema: promised as never });
    expect(() => (contract as MessageContract).message('x')).toThrow(/without a promise/);
  });

  it('an asynchronous schema that rejects ends no process', async () => {
    const rejections: unknown[] = [];
    const note = (reason: unknown) => rejections.push(reason);
    process.on('unhandledRejection', note);
    const validate = async () => {
      throw new Error('as it should');
    };
    const contract = defineMessage({
      name: 'a',
      exchange: 'x',
      schema: { '~standard': { version: 1, vendor: 'own', validate } } as never,
    });
    expect(() => (contract as MessageContract).message('x')).toThrow(/without a promise/);
    // Node reports a rejection without a handler once all callbacks of this turn have run.
    await new Promise((done) => setImmediate(done));
    process.off('unhandledRejection', note);
    expect(rejections).toEqual([]);
  });

  it('a body is checked as its reader gets it: a Date that JSON writes as a text is refused for a date', async () => {
    const at = new Date(0);
    const ofDates = (schema: z.ZodType) =>
      defineMessage({ name: 'a', exchange: 'x', schema: z.object({ at: schema }) });
    const refused = errorOf(() => ofDates(z.date()).message({ at }));
    expect(refused).toEqual(new RejectedError('at: expected date, got string'));
    const message = ofDates(z.coerce.date()).message({ at });
    expect(message.body).toEqual({ at });
    const handled: unknown[] = [];
    const handler = onMessages(
      { contract: ofDates(z.coerce.date()), publisher: recordingPublisher() },
      async ({ body }) => handled.push(body),
    );
    await invoke(handler, rabbitMQEvent([{ queue: 'q', body: message.body }]));
    expect(handled).toEqual([{ at }]);
  });

  it('a body that JSON cannot write is refused with its reason', () => {
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    const contract = defineMessage({ name: 'a', exchange: 'x', schema: z.unknown() });
    for (const body of [{ n: 1n }, circle]) {
      const error = errorOf(() => contract.message(body));
      expect(error).toBeInstanceOf(RejectedError);
      expect(String(error)).toContain('body: expected a value that JSON can write');
    }
    const numbers = defineMessage({
      name: 'a',
      exchange: 'x',
      schema: z.array(z.any().refine((n) => JSON.stringify(n)?.includes('null') === false)),
    });
    // JSON writes a null for each of these.
    for (const list of [[Number.NaN], new Array(1), [undefined], [[Number.POSITIVE_INFINITY]]]) {
      expect(errorOf(() => numbers.message(list))).toBeInstanceOf(RejectedError);
    }
  });

  it('contracts recognize each other over two copies of the package, and nothing else is one', () => {
    expect(isContract(parcelOrdered)).toBe(true);
    for (const other of [undefined, null, 'text', {}, parcel]) expect(isContract(other)).toBe(false);
  });
});

describe('several versions', () => {
  const first = defineMessage({
    name: 'parcel',
    exchange: 'x',
    schema: z.object({ to: z.string() }),
    version: 1,
  });
  const second = defineMessage({
    name: 'parcel',
    exchange: 'x',
    schema: z.object({ city: z.string() }),
    version: 2,
  });

  it('types: the version decides which body a message has', () => {
    onMessages({ contracts: [first, second], publisher: recordingPublisher() }, async (message) => {
      if (message.version === 1) expectTypeOf(message.body).toEqualTypeOf<{ to: string }>();
      else expectTypeOf(message.body).toEqualTypeOf<{ city: string }>();
    });
  });

  it('each message is checked by the version that its property type names', async () => {
    const seen: unknown[] = [];
    const publisher = recordingPublisher();
    const handler = onMessages({ contracts: [first, second], publisher }, async ({ version, body }) =>
      seen.push([version, body]),
    );
    const sent = [first.message({ to: 'Oslo' }), second.message({ city: 'Oslo' })];
    expect(sent.map((each) => each.type)).toEqual(['parcel.v1', 'parcel.v2']);
    const event = rabbitMQEvent([
      ...sent.map(({ body, type: its }) => ({ queue: 'q', body, ...(its && { type: its }) })),
      // A client from the time before versions.
      { queue: 'q', body: { to: 'Bergen' } },
      { queue: 'q', body: { to: 'Bergen' }, type: 'parcel.v3' },
    ]);
    await invoke(handler, event);
    expect(seen).toEqual([
      [1, { to: 'Oslo' }],
      [2, { city: 'Oslo' }],
      [1, { to: 'Bergen' }],
    ]);
    const error = 'RejectedError: type: expected "parcel.v1" or "parcel.v2", got "parcel.v3"';
    expect(publisher.published).toMatchObject([{ headers: { 'x-warren-error': error } }]);
  });

  it('a key with a parameter whose name AsyncAPI does not allow, or with half of one, is an error of the settings', () => {
    for (const key of ['ordered.{länd}', '{a.b}', '{}', 'a.{b', 'a}.b']) {
      const define = () =>
        defineMessage({ name: 'a', exchange: 'x', key: key as string, schema: z.unknown() });
      expect(define).toThrow(
        `contract "a": key: expected parameters of letters, digits, "-" and "_" in braces, got "${key}"`,
      );
    }
  });

  it('two contracts whose messages cannot be distinguished are an error of the settings', () => {
    const publisher = recordingPublisher();
    const handlerOf = (...contracts: MessageContract[]) =>
      onMessages({ contracts, publisher }, async () => 1);
    const make = (name: string, given: Partial<MessageDefinition> = {}) =>
      defineMessage({ name, exchange: 'x', ...given, schema: z.unknown() }) as unknown as MessageContract;
    const expected =
      'contracts: expected another version or another type of event for each, by which messages are distinguished, got';
    expect(() => handlerOf(make('a'), make('b'))).toThrow(`${expected} "a" and "b"`);
    expect(() => handlerOf(make('a', { version: 1 }), make('a', { version: 1 }))).toThrow(
      `${expected} "a.v1" and "a.v1"`,
    );
    const event = (type: string) => ({ cloudEvents: { source: '/x', type } });
    expect(() => handlerOf(make('a', event('t')), make('b', event('t')))).toThrow(`${expected} "a" and "b"`);
    handlerOf(make('a'), make('b', { version: 1 }), make('c', event('t')), make('d', event('u')));
  });

  it('a contract without a version takes a message of any type, as a schema does', async () => {
    const publisher = recordingPublisher();
    const handler = onMessages({ contract: parcelOrdered, publisher }, async () => undefined);
    await invoke(handler, rabbitMQEvent([{ queue: 'q', body: { to: 'Oslo', kg: 1 }, type: 'own' }]));
    expect(publisher.published).toEqual([]);
  });
});

describe('defineCall', () => {
  const add = defineCall({
    method: 'add',
    request: z.object({ a: z.number(), b: z.number() }),
    reply: z.object({ sum: z.number() }),
  });

  it('types: the caller gets the checked reply, and the handler has to return it', () => {
    expectTypeOf(add.call).parameter(1).toEqualTypeOf<{ a: number; b: number }>();
    expectTypeOf(add.call).returns.resolves.toEqualTypeOf<{ sum: number }>();
    type Handle = Parameters<typeof onCalls<{ a: number; b: number }, { sum: number }>>[1];
    expectTypeOf<() => Promise<{ sum: string }>>().not.toExtend<Handle>();
    expectTypeOf<() => Promise<{ sum: number }>>().toExtend<Handle>();
  });

  it('a request that breaks the contract is not sent', async () => {
    const client: RpcClientLike = { call: () => Promise.reject(new Error('expected no call')) };
    await expect(add.call(client, { a: 1 } as never)).rejects.toEqual(
      new RejectedError('b: expected number, got undefined'),
    );
  });

  it('a reply is checked, and the error of a method is thrown as it was made', async () => {
    const reply = (body: unknown, kind?: string) =>
      clientWith({ body, content: Buffer.alloc(0), type: kind });
    expect(await add.call(reply({ sum: 3 }), { a: 1, b: 2 })).toEqual({ sum: 3 });
    await expect(add.call(reply({ sum: '3' }), { a: 1, b: 2 })).rejects.toEqual(
      new RejectedError('the reply of add: sum: expected number, got string'),
    );
    const problem = { type: 'about:blank', title: 'Too many', status: 429, detail: 'wait' };
    await expect(add.call(reply(problem, 'error'), { a: 1, b: 2 })).rejects.toEqual(
      new CallError(429, 'Too many', 'wait'),
    );
    await expect(add.call(reply('odd', 'error'), { a: 1, b: 2 })).rejects.toMatchObject({ status: 502 });
  });

  it('a reply is checked as its caller gets it', async () => {
    const publisher = recordingPublisher();
    const contract = defineCall({ method: 'now', request: z.object({}), reply: z.object({ at: z.date() }) });
    const handler = onCalls({ contract, publisher, log: silentLog }, async () => ({ at: new Date(0) }));
    await invoke(handler, rabbitMQEvent([{ queue: 'now', body: {}, replyTo: 'caller' }]));
    expect(publisher.published).toMatchObject([
      { type: 'error', body: { status: 500, detail: 'at: expected date, got string' } },
    ]);
  });

  it('a method that returns what its contract does not allow answers with 500, and names the field', async () => {
    const publisher = recordingPublisher();
    const handler = onCalls({ contract: add, publisher, log: silentLog }, async () => ({
      sum: 'three' as never,
    }));
    await invoke(handler, rabbitMQEvent([{ queue: 'add', body: { a: 1, b: 2 }, replyTo: 'caller' }]));
    expect(publisher.published).toMatchObject([
      { type: 'error', body: { status: 500, detail: 'sum: expected number, got string' } },
    ]);
  });
});
