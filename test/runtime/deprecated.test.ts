import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Publisher } from '../../runtime/amqp/publisher.ts';
import { Requester } from '../../runtime/amqp/requester.ts';
import { RpcClient } from '../../runtime/amqp/rpc-client.ts';
import * as functions from '../../runtime/functions.ts';
import { onFailure } from '../../runtime/messages/failure-events.ts';
import { onMessages } from '../../runtime/messages/on-messages.ts';
import { recordingPublisher } from '../../runtime/testing/recording-publisher.ts';
import { messageEvent } from '../support/events.ts';

const options = { url: 'amqp://127.0.0.1:1', name: 'deprecated' };

describe('deprecated names', () => {
  it('deprecated: the old factories create the classes', () => {
    expect(functions.createPublisher(options)).toBeInstanceOf(Publisher);
    expect(functions.createRpcClient(options)).toBeInstanceOf(RpcClient);
    expect(functions.createAnsweredPublisher(options)).toBeInstanceOf(Requester);
    expect(functions.AnsweredPublisher).toBe(Requester);
  });

  it('deprecated: tellSetAside records a failed message', () => {
    const failed: unknown[] = [];
    const stop = onFailure((message) => failed.push(message));
    functions.tellSetAside('q', { to: 'dead-letters', reason: 'rejected' });
    stop();
    functions.tellSetAside('q', { to: 'retry', seconds: 1 });
    expect(failed).toEqual([{ queue: 'q', to: 'dead-letters', reason: 'rejected' }]);
  });

  it('deprecated: onGivenUp is called like onDeadLetter, unless both are given', async () => {
    const publisher = recordingPublisher();
    const calls: string[] = [];
    const onGivenUp = async () => calls.push('onGivenUp');
    const onDeadLetter = async () => calls.push('onDeadLetter');
    const schema = z.unknown();
    const fail = async () => Promise.reject(new functions.RejectedError('no'));
    await onMessages({ schema, publisher, onGivenUp }, fail)(messageEvent('q', 1));
    await onMessages({ schema, publisher, onGivenUp, onDeadLetter }, fail)(messageEvent('q', 1));
    expect(calls).toEqual(['onGivenUp', 'onDeadLetter']);
  });
});
