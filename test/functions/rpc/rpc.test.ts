import { readFile } from 'node:fs/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { httpEvent } from 'warren/testing';
import { createHandler as createCall } from '../../../functions/rpc/call.ts';
import { createHandler as createDescribe } from '../../../functions/rpc/describe-picture.ts';
import { createHandler as createPing } from '../../../functions/rpc/ping.ts';
import { callerHeader } from '../../../runtime/amqp/headers.ts';
import type { OutgoingMessage } from '../../../runtime/amqp/outgoing.ts';
import type { CallOptions, RpcReply } from '../../../runtime/amqp/rpc-client.ts';
import {
  DeadlineError,
  ReplyTooLargeError,
  UnavailableError,
  UnroutableError,
} from '../../../runtime/base/errors.ts';
import { readSettings } from '../../../runtime/settings/read.ts';
import { readSection } from '../../../runtime/topology/schema.ts';
import { storageSettings } from '../../../shared/storage/settings.ts';
import { createStorage } from '../../../shared/storage/storage.ts';
import { bearer, openDeps, uniqueId } from '../../support/deps.ts';
import { context, messageEvent } from '../../support/events.ts';
import { stack } from '../../support/stack.ts';

const deps = openDeps();
afterAll(() => deps.close());

/** Handles one call and returns the published reply, with its body as the caller reads it. */
const answer = async (
  create: (
    given: typeof deps & { publisher: { publish(message: OutgoingMessage): Promise<{ messageId: string }> } },
  ) => (event: ReturnType<typeof messageEvent>) => Promise<unknown>,
  body: unknown,
  headers: Record<string, unknown> = {},
) => {
  const replies: OutgoingMessage[] = [];
  const publish = async (message: OutgoingMessage) => {
    replies.push(message);
    return { messageId: '' };
  };
  const handler = create({ ...deps, publisher: { publish } as typeof deps.publisher });
  await handler(messageEvent('method', body, { replyTo: 'somewhere', correlationId: 'c-1', headers }));
  expect(replies).toMatchObject([{ exchange: '', routingKey: 'somewhere', correlationId: 'c-1' }]);
  const [reply] = replies;
  return {
    ...reply,
    body: Buffer.isBuffer(reply?.body) ? readBody(reply.contentType, reply.body) : reply?.body,
  };
};
const readBody = (contentType: string | undefined, body: Buffer): unknown =>
  contentType === 'application/json' ? JSON.parse(body.toString()) : body.toString();

describe('ping', () => {
  it('replies with the time of the request, as text', async () => {
    const reply = await answer(createPing, { client_name: 'RPC Client 1.0', time: 1288111236.43 });
    expect(reply.body).toBe('Pong!1288111236.43');
  });

  it.each(['1.10', '-0', '1e400', '9007199254740993'])(
    'digits: the time %s keeps its digits',
    async (time) => {
      expect((await answer(createPing, Buffer.from(`{"time":${time}}`))).body).toBe(`Pong!${time}`);
    },
  );

  it('replies to an invalid request with a problem, immediately', async () => {
    const reply = await answer(createPing, Buffer.from('quit'));
    expect(reply).toMatchObject({
      type: 'error',
      contentType: 'application/problem+json',
      body: { status: 422 },
    });
  });
});

const store = async () => {
  const [id, user] = [uniqueId(), uniqueId()];
  const image_path = `originals/${id}.jpg`;
  const body = await readFile('assets/demo.jpg');
  await deps.storage.put(image_path, body, 'image/jpeg');
  await deps.db.insertInto('pictures').values({ id, user_id: user, image_path }).execute();
  return { id, user, image_path, facts: { width: 4000, height: 2250, format: 'jpeg', bytes: body.length } };
};
const notFound = { type: 'error', body: { status: 404 } };

describe('describe-picture', () => {
  it('describes any picture to an AMQP client, by id or by path', async () => {
    const { id, image_path, facts } = await store();
    expect((await answer(createDescribe, { image_id: id })).body).toEqual(facts);
    expect((await answer(createDescribe, { image_path })).body).toEqual(facts);
  });

  it('describes only own pictures to a caller over HTTP', async () => {
    const { id, user, image_path, facts } = await store();
    for (const request of [{ image_id: id }, { image_path }]) {
      expect((await answer(createDescribe, request, { [callerHeader]: String(user) })).body).toEqual(facts);
      expect(await answer(createDescribe, request, { [callerHeader]: String(user + 1) })).toMatchObject(
        notFound,
      );
    }
  });

  it('replies with a problem if the picture is missing, or the request identifies none or two', async () => {
    expect(await answer(createDescribe, { image_id: 999_999_999 })).toMatchObject(notFound);
    expect(await answer(createDescribe, { image_path: 'originals/none.jpg' })).toMatchObject(notFound);
    for (const body of [{}, { image_id: 1, image_path: 'x' }]) {
      expect(await answer(createDescribe, body)).toMatchObject({ type: 'error', body: { status: 422 } });
    }
  });
});

describe('describe-picture with failures', () => {
  it.each([
    ['an image_id that is none', { image_id: -1 }],
    ['a path with U+0000', { image_path: 'originals/\u0000.jpg' }],
    ['a path without end', { image_path: 'x'.repeat(1025) }],
    ['no object', [1]],
  ])('answers %s with 422, to anyone', async (_what, body) => {
    for (const headers of [{}, { [callerHeader]: '7' }]) {
      expect(await answer(createDescribe, body, headers)).toMatchObject({
        type: 'error',
        contentType: 'application/problem+json',
        body: { status: 422 },
      });
    }
  });

  it('replies 422 for a file that is not a picture, with its type', async () => {
    const image_path = `originals/${uniqueId()}.jpg`;
    await deps.storage.put(image_path, Buffer.from('%PDF-1.7\n'), 'image/jpeg');
    expect(await answer(createDescribe, { image_path })).toMatchObject({
      type: 'error',
      body: { status: 422, detail: expect.stringContaining('application/pdf') },
    });
  });

  it('replies 503 immediately while the storage is unavailable', async () => {
    const { storage } = readSettings(
      { storage: storageSettings },
      { ...stack, S3_ENDPOINT: 'http://127.0.0.1:9' },
    );
    const away: typeof createDescribe = (given) =>
      createDescribe({ ...given, storage: createStorage(storage) });
    expect(await answer(away, { image_path: 'originals/123456.jpg' })).toMatchObject({
      type: 'error',
      body: { status: 503 },
    });
  });

  it.each(['abc', '', '1.5', null, '99999999999999999999'])(
    'describes no picture to the invalid caller %j',
    async (caller) => {
      const { image_path } = await store();
      const reply = await answer(createDescribe, { image_path }, { [callerHeader]: caller });
      expect(reply).toMatchObject(notFound);
    },
  );
});

describe('POST /rpc/{method}', () => {
  const { methods } = readSection({
    methods: { ping: {}, small: { maxBytes: 10 }, admin: { scope: 'rpc:admin' } },
  });
  const slow = readSection({ methods: { rare: { rate: '1/hour', timeout: 0.5 } } }).methods;
  type Outcome = Omit<RpcReply, 'content'> & { content?: Buffer };
  /** A reply with the bytes of its body, as our client receives it. */
  const replied = ({ body, contentType, content, ...rest }: Outcome): RpcReply => {
    const isText = contentType?.startsWith('text/');
    const bytes = content ?? Buffer.from(isText ? String(body) : JSON.stringify(body));
    return { body, contentType, content: bytes, ...rest };
  };
  const call = async (outcome: Outcome | Error, method = 'ping', body: unknown = {}) => {
    const calls: { method: string; body: unknown; options: CallOptions | undefined }[] = [];
    const rpc = {
      call: async (name: string, request: unknown, options?: CallOptions) => {
        calls.push({ method: name, body: String(request), options });
        if (outcome instanceof Error) throw outcome;
        return replied(outcome);
      },
    };
    const handler = createCall({ ...deps, rpc, methods });
    const event = httpEvent({ body, parameters: { method }, authorization: await bearer(7) });
    const { statusCode, headers, body: text = '' } = await handler(event, context);
    return { status: statusCode, type: headers?.['content-type'], text, calls };
  };

  it('passes the request on with the id of the caller, and the reply back in its own type', async () => {
    const text = await call({ body: 'Pong!1', contentType: 'text/plain' }, 'ping', { time: 1 });
    expect(text).toMatchObject({ status: 200, type: 'text/plain; charset=utf-8', text: 'Pong!1' });
    expect(text.calls).toMatchObject([
      { method: 'ping', body: '{"time":1}', options: { headers: { [callerHeader]: '7' } } },
    ]);
    const json = await call({ body: { a: 1 }, contentType: 'application/json' });
    expect(json).toMatchObject({ status: 200, type: 'application/json', text: '{"a":1}' });
    // A JSON string is not a plain text.
    expect(await call({ body: 'a', contentType: 'application/json' })).toMatchObject({ text: '"a"' });
  });

  it('passes a binary reply on unchanged, with its content type', async () => {
    const content = await readFile('assets/demo.jpg');
    const rpc = { call: async () => ({ body: content, content, contentType: 'image/jpeg' }) };
    const event = httpEvent({ body: {}, parameters: { method: 'ping' }, authorization: await bearer(7) });
    const reply = await createCall({ ...deps, rpc, methods })(event, context);
    expect(reply).toMatchObject({ headers: { 'content-type': 'image/jpeg' }, isBase64Encoded: true });
    expect(Buffer.from(reply.body ?? '', 'base64').equals(content)).toBe(true);
  });

  it('puts no content type into the response that is none', async () => {
    const odd = { body: 'a', contentType: 'text/plain\r\nset-cookie: a=b' };
    expect(await call(odd)).toMatchObject({ type: 'text/plain; charset=utf-8', text: 'a' });
  });

  it('keeps the digits of JSON numbers in requests and replies', async () => {
    const content = Buffer.from('{"id":9007199254740993}');
    const answer = await call({ body: {}, content, contentType: 'application/json' }, 'ping', '{"n":1e400}');
    expect(answer).toMatchObject({ text: '{"id":9007199254740993}', calls: [{ body: '{"n":1e400}' }] });
  });

  it.each([
    ['no such method', new UnroutableError('rpc', 'ping'), 404],
    ['no answer in time', new DeadlineError('late'), 504],
    ['the broker away', new UnavailableError('broker', 'away'), 503],
    ['a reply of 20 MB', new ReplyTooLargeError('"ping"', 20_000_000, 4_500_000), 502],
    ['a problem of the method', { type: 'error', body: { title: 'Odd', status: 409, detail: 'very' } }, 409],
    ['an error that is no problem', { type: 'error', body: 'oops' }, 502],
  ])('answers %s as a problem', async (_what, outcome, status) => {
    const reply = await call(outcome as Outcome | Error);
    expect(reply).toMatchObject({ status, type: 'application/problem+json' });
    expect(JSON.parse(reply.text)).toMatchObject({ status });
  });

  it('refuses a request that is not JSON, or has another content type, before the call', async () => {
    const rpc = { call: () => Promise.reject(new Error('was called')) };
    const send = async (settings: Parameters<typeof httpEvent>[0]) => {
      const event = httpEvent({
        parameters: { method: 'ping' },
        authorization: await bearer(7),
        ...settings,
      });
      return (await createCall({ ...deps, rpc, methods })(event, context)).statusCode;
    };
    expect(await send({ body: '{"time":' })).toBe(400);
    expect(await send({ body: '{}', contentType: 'text/plain' })).toBe(415);
    expect(await send({})).toBe(415);
    expect(await send({ body: '{}', authorization: '' })).toBe(401);
    expect(await send({ body: '{}', authorization: await bearer(7, ['alerts:write']) })).toBe(403);
  });

  it('reaches no method that is not listed, whether or not a queue serves it', async () => {
    const reply = await call({ body: 1 }, 'internal');
    expect([reply.status, reply.calls]).toEqual([404, []]);
  });

  it('refuses a request above the size of its method before it is read', async () => {
    const reply = await call({ body: 1 }, 'small', '[[[[[[[[[[[[');
    expect([reply.status, reply.calls]).toEqual([413, []]);
  });

  it('requires the scope of its method', async () => {
    expect(await call({ body: 1 }, 'admin')).toMatchObject({ status: 403, calls: [] });
  });

  it('limits how often a user may call a method, and how long a call takes', async () => {
    const limits: unknown[] = [];
    const rpc = {
      call: async (_name: string, _body: unknown, options?: CallOptions) => {
        limits.push(options?.timeoutMs, options?.maxReplyBytes);
        return replied({ body: 1 });
      },
    };
    const handler = createCall({ ...deps, rpc, methods: slow });
    const authorization = await bearer(uniqueId());
    const event = httpEvent({ body: {}, parameters: { method: 'rare' }, authorization });
    const statuses = [await handler(event, context), await handler(event, context)].map(
      (each) => each.statusCode,
    );
    expect([statuses, limits]).toEqual([
      [200, 429],
      [500, 4_500_000],
    ]);
  });

  it('never answers an error reply with a success status', async () => {
    for (const status of [200, 302, 99, 600, '404']) {
      const reply = await call({ type: 'error', body: { title: 'Odd', status } });
      expect(reply).toMatchObject({ status: 502, type: 'application/problem+json' });
    }
  });

  it.each([null, 7, 'text', [1, { a: null }]])('passes the JSON value %j on', async (body) => {
    const { calls, status, text } = await call(
      { body, contentType: 'application/json' },
      'ping',
      JSON.stringify(body),
    );
    expect([status, calls[0]?.body, text]).toEqual([200, JSON.stringify(body), JSON.stringify(body)]);
  });

  it.each(['', 'a b', 'x/y', '#', 'a'.repeat(201)])('answers 404 for the method %j', async (method) => {
    const reply = await call({ body: 1 }, method);
    expect([reply.status, reply.calls]).toEqual([404, []]);
  });
});
