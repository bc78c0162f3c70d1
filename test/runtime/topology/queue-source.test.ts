import { describe, expect, it } from 'vitest';
import { mappingsVariable, readPolledMappings } from '../../../runtime/hosts/long-poll.ts';
import WarrenPlugin from '../../../runtime/serverless/plugin.ts';
import type { ServiceFunction } from '../../../runtime/serverless/service.ts';
import { compileTopology } from '../../../runtime/topology/compile.ts';
import { readSection } from '../../../runtime/topology/schema.ts';

const longPoll = { function: 'poll' };
const texts = { perKey: { of: 'header.phone', limit: '1/second' }, source: 'adapter' };

/** The functions that `serverless package` deploys. */
async function deployed(source: string, queues: object) {
  const functions: Record<string, ServiceFunction> = {
    'send-text': { events: [{ rabbitmq: { queue: 'texts' } }] },
    'send-mail': { events: [{ rabbitmq: { queue: 'mails' } }] },
    poll: { events: [{ schedule: { rate: 'rate(5 minutes)', enabled: false } }] },
  };
  const plugin = new WarrenPlugin(
    {
      processedInput: { commands: ['package'] },
      classes: { Error },
      service: { functions, provider: {}, custom: { warren: { source, longPoll, queues } } },
      getProvider: () => ({ naming: { getRabbitMQEventLogicalId: (_function, queue) => queue } }),
    },
    {},
    { log: { notice: () => undefined, warning: () => undefined } },
  );
  await plugin.hooks['initialize']?.();
  return functions;
}
const fedBy = (poll: ServiceFunction | undefined) =>
  readPolledMappings(poll?.environment as Record<string, string>).map(({ queue }) => queue);
const polling = [{ schedule: { rate: 'rate(5 minutes)', enabled: true } }];

describe('the source of a queue', () => {
  it("source: behind Amazon MQ, the long poll feeds the function of a queue that has it as its source, and AWS's mappings feed the others", async () => {
    const { 'send-text': text, 'send-mail': mail, poll } = await deployed('amazon-mq', { texts, mails: {} });
    expect([text?.events, mail?.events]).toEqual([[], [{ rabbitmq: { queue: 'mails' } }]]);
    expect(poll?.events).toEqual(polling);
    expect(fedBy(poll)).toEqual(['texts']);
  });

  it('source: with the adapter for the whole project, the long poll feeds every function', async () => {
    const { poll } = await deployed('adapter', { texts, mails: {} });
    expect(poll?.events).toEqual(polling);
    expect(fedBy(poll)).toEqual(['texts', 'mails']);
  });

  it('source: with workers, neither the long poll nor a function that only a queue calls is deployed', async () => {
    expect(await deployed('worker', { texts, mails: {} })).toEqual({});
  });

  it("source: behind Amazon MQ, no long poll is deployed if AWS's mappings feed every function", async () => {
    const functions = await deployed('amazon-mq', { texts: {}, mails: {} });
    expect(Object.keys(functions)).toEqual(['send-text', 'send-mail']);
    expect(functions['send-text']?.environment?.[mappingsVariable]).toBeUndefined();
  });

  it.each([
    [{ kind: 'rpc' }, longPoll, 'source: expected no value for kind rpc, got adapter'],
    [{}, undefined, 'source: expected custom.warren.longPoll beside it, got none'],
    [
      {},
      { ...longPoll, queues: ['mails'] },
      'source: expected the queue among those of longPoll, got adapter',
    ],
  ])('source: a queue %j with the long poll %j is refused with its reason', (own, poll, text) => {
    const queues = { mails: {}, texts: { ...own, source: 'adapter' } };
    expect(() => compileTopology(readSection({ longPoll: poll, queues }))).toThrow(text);
  });
});
