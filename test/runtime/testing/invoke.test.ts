import type { Context } from 'aws-lambda';
import { describe, expect, it } from 'vitest';
import { lambda } from 'warren/functions';
import { httpFunction, json } from 'warren/http';
import { httpEvent, invoke, lambdaContext, rabbitMQEvent } from 'warren/testing';

describe('invoke', () => {
  it('calls the handler with the event and a Lambda context whose remaining time runs down', async () => {
    const event = rabbitMQEvent([{ body: 1 }]);
    const handler = async (given: unknown, context: Context) => ({ given, context });
    const { given, context } = await invoke(handler, event, { functionName: 'parcels', timeoutMs: 5000 });
    expect(given).toBe(event);
    expect(context.functionName).toBe('parcels');
    expect(context.getRemainingTimeInMillis()).toBeGreaterThan(0);
    expect(context.getRemainingTimeInMillis()).toBeLessThanOrEqual(5000);
  });

  it('returns the reply of an HTTP function', async () => {
    const authenticate = async () => 'Alice';
    const handler = httpFunction({ authenticate }, async ({ user, event }) =>
      json(200, { user, id: event.pathParameters?.['id'] }),
    );
    const reply = await invoke(handler, httpEvent({ parameters: { id: '5' } }));
    expect([reply.statusCode, reply.body]).toEqual([200, '{"user":"Alice","id":"5"}']);
  });

  it('calls a handler that declares its resources, and throws what it throws', async () => {
    const handler = lambda({}, () => async (event: { fail: boolean }) => {
      if (event.fail) throw new Error('broken');
      return 'done';
    });
    expect(await invoke(handler, { fail: false })).toBe('done');
    await expect(invoke(handler, { fail: true })).rejects.toThrow('broken');
  });
});

describe('lambdaContext', () => {
  it('gives each call an id of its own, and never a negative remaining time', () => {
    expect(lambdaContext().awsRequestId).not.toBe(lambdaContext().awsRequestId);
    expect(lambdaContext({ timeoutMs: -1 }).getRemainingTimeInMillis()).toBe(0);
    expect(lambdaContext().getRemainingTimeInMillis()).toBeGreaterThan(14_000);
  });
});
