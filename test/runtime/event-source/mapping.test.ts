import { describe, expect, it } from 'vitest';
import { WarrenError } from '../../../runtime/base/errors.ts';
import { readMappings } from '../../../runtime/event-source/mapping.ts';
import { readSection } from '../../../runtime/topology/schema.ts';

/** A variable as serverless.yml contains it. */
const variable = (name: string) => `\${${name}}`;

const of = (...rabbitmq: unknown[]) => ({ f: { events: rabbitmq.map((event) => ({ rabbitmq: event })) } });

const problemsOf = (functions: Parameters<typeof readMappings>[0]): string[] => {
  try {
    readMappings(functions);
  } catch (error) {
    if (error instanceof WarrenError && error.code === 'ERR_CONFIG') return error.message.split('\n');
    throw error;
  }
  throw new Error('expected readMappings to throw');
};

describe('readMappings', () => {
  it("a mapping has AWS's defaults: 100 messages, half a second, vhost /", () => {
    expect(readMappings(of({ queue: 'critical' }))).toEqual([
      {
        functionName: 'f',
        queue: 'critical',
        vhost: '/',
        arn: expect.stringMatching(/^arn:aws:mq:/),
        batchSize: 100,
        windowMs: 500,
        concurrency: 1,
      },
    ]);
  });

  it('a mapping has the settings of its event', () => {
    const event = {
      arn: 'arn:aws:mq:eu-west-1:1:broker:b:b-1',
      basicAuthArn: 'arn:aws:secretsmanager:eu-west-1:1:secret:s',
      queue: 'critical',
      virtualHost: 'prod',
      batchSize: 10_000,
      maximumBatchingWindow: 300,
      enabled: true,
    };
    expect(readMappings(of(event))).toEqual([
      {
        functionName: 'f',
        queue: 'critical',
        vhost: 'prod',
        arn: event.arn,
        batchSize: 10_000,
        windowMs: 300_000,
        concurrency: 1,
      },
    ]);
  });

  it('each rabbitmq event is one mapping, and other events are ignored', () => {
    const functions = {
      ...of({ queue: 'a' }, { queue: 'b', batchSize: 1 }),
      g: { events: ['schedule', { httpApi: 'GET /' }, null, { rabbitmq: { queue: 'c' } }] },
      h: {},
    };
    expect(readMappings(functions).map(({ functionName, queue }) => [functionName, queue])).toEqual([
      ['f', 'a'],
      ['f', 'b'],
      ['g', 'c'],
    ]);
  });

  it('the concurrency of a mapping comes from the settings of its queue', () => {
    const functions = { f: { events: [{ rabbitmq: { queue: 'critical' } }] } };
    expect(readMappings(functions, readSection({ queues: { critical: { concurrency: 4 } } }))).toMatchObject([
      { concurrency: 4 },
    ]);
  });

  it('a mapping has the key and the partitions of its queue', () => {
    const section = readSection({ queues: { critical: { orderBy: 'header.user', partitions: 4 } } });
    expect(readMappings(of({ queue: 'critical' }), section)).toMatchObject([
      { order: { by: 'header.user', partitions: 4 }, maxMessageBytes: 65_536 },
    ]);
  });

  it('an event that is not enabled is no mapping', () => {
    expect(readMappings(of({ queue: 'a', enabled: false }))).toEqual([]);
  });

  it.each([
    ['no queue', {}, 'queue'],
    ['an empty queue', { queue: '' }, 'queue'],
    ['a batch of none', { queue: 'a', batchSize: 0 }, 'batchSize'],
    ["a batch above AWS's limit", { queue: 'a', batchSize: 10_001 }, 'batchSize'],
    ['a broken number', { queue: 'a', batchSize: 1.5 }, 'batchSize'],
    ["a window above AWS's limit", { queue: 'a', maximumBatchingWindow: 301 }, 'maximumBatchingWindow'],
    ['text for a switch', { queue: 'a', enabled: 'no' }, 'enabled'],
  ])('the error for %s names the key', (_what, event, key) => {
    expect(problemsOf(of(event))).toEqual([
      expect.stringMatching(new RegExp(`^functions\\.f: rabbitmq: ${key}: `)),
    ]);
  });

  it('the error names an unknown key', () => {
    expect(problemsOf(of({ queue: 'a', batchsize: 5 }))).toEqual([expect.stringContaining('batchsize')]);
  });

  it('the error names every problem of every function at once', () => {
    const functions = {
      ...of({ batchSize: 0 }, { queue: 'a', maximumBatchingWindow: -1 }),
      g: { events: [{ rabbitmq: { queue: 7 } }] },
    };
    expect(problemsOf(functions)).toEqual([
      expect.stringContaining('functions.f: rabbitmq: queue'),
      expect.stringContaining('functions.f: rabbitmq: batchSize'),
      expect.stringContaining('functions.f: rabbitmq: maximumBatchingWindow'),
      expect.stringContaining('functions.g: rabbitmq: queue'),
    ]);
  });

  it('a mapping has the filter patterns of its event unchanged', () => {
    const filterPatterns = [{ data: { severity: ['critical', { prefix: 'maj' }] } }, { data: ['ping'] }];
    expect(readMappings(of({ queue: 'a', filterPatterns }))).toEqual([
      expect.objectContaining({ queue: 'a', filterPatterns }),
    ]);
  });

  it('a mapping has no filter patterns if the event has none', () => {
    expect(readMappings(of({ queue: 'a' }))[0]).not.toHaveProperty('filterPatterns');
  });

  it('the error names the wrong place in each filter pattern, beside all other problems', () => {
    const filterPatterns = [{ data: { a: [1], b: [] } }, { data: { c: [{ exists: 'no' }] } }];
    const functions = { ...of({ queue: 'a', filterPatterns }), g: { events: [{ rabbitmq: {} }] } };
    expect(problemsOf(functions)).toEqual([
      'functions.f: rabbitmq: filterPatterns.0.data.b: expected at least one value or filter, got []',
      'functions.f: rabbitmq: filterPatterns.1.data.c.0.exists: expected true or false, got "no"',
      expect.stringContaining('functions.g: rabbitmq: queue: '),
    ]);
  });

  it('wrong filter patterns are refused even if the event is not enabled: the deployment would take them', () => {
    const event = { queue: 'a', enabled: false, filterPatterns: [{ data: 5 }] };
    expect(problemsOf(of(event))).toEqual([expect.stringContaining('rabbitmq: filterPatterns.0.data: ')]);
  });

  it('a queue or a virtual host with a variable is refused, because it names nothing at the broker', () => {
    expect(
      problemsOf(of({ queue: `orders-${variable('sls:stage')}`, virtualHost: variable('env:VHOST') })),
    ).toEqual([
      expect.stringContaining(
        `queue: expected a name without variables, got "orders-${variable('sls:stage')}"`,
      ),
      expect.stringContaining(
        `virtualHost: expected a name without variables, got "${variable('env:VHOST')}"`,
      ),
    ]);
  });

  it("more filter patterns than AWS's five are refused", () => {
    const filterPatterns = Array(6).fill({ data: ['a'] });
    expect(problemsOf(of({ queue: 'a', filterPatterns }))).toEqual([
      'functions.f: rabbitmq: filterPatterns: expected at most 5 patterns, got 6',
    ]);
  });
});
