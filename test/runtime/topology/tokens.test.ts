import { describe, expect, it } from 'vitest';
import { notByAws, prepareDeployment } from '../../../runtime/serverless/package.ts';
import { compileTopology } from '../../../runtime/topology/compile.ts';
import { readSection } from '../../../runtime/topology/schema.ts';
import { compileUsers } from '../../../runtime/topology/user-rights.ts';

const compiled = (queues: object) => () => compileTopology(readSection({ queues }));
const limited = { queues: { texts: { limit: '100/minute' } } };

describe('limit', () => {
  it.each([
    ['100/minute', 100, 60_000],
    ['5/3 seconds', 5, 3000],
    ['1/second', 1, 1000],
    ['10000/24 days', 10_000, 2_073_600_000],
  ])('limit: %s is read as a number and a time', (limit, count, periodMs) => {
    expect(compiled({ texts: { limit } })().limited).toMatchObject([{ queue: 'texts', count, periodMs }]);
  });

  it.each(['100', '0/minute', '1.5/second', 'minute', '10/fortnight', '-1/second', '5/0 seconds'])(
    'limit: %s is refused with the form that is expected',
    (limit) => {
      expect(compiled({ texts: { limit } })).toThrow(
        'custom.warren.queues.texts.limit: expected a number and a time, such as 100/minute or 5/3 seconds',
      );
    },
  );

  it.each([
    [{ limit: '201/second' }, 'limit: expected at most 200 in a second, got 201'],
    [{ limit: '10001/day' }, 'limit: expected at most 10000 in a time, got 10001; use a shorter time'],
    [{ limit: '1/25 days' }, 'limit: expected at most 24 days, got 25'],
    [{ limit: '1/day', kind: 'rpc' }, 'limit: expected no value for kind rpc'],
    [{ limit: '1/day', orderBy: 'routingKey' }, 'limit: expected no value with orderBy, got routingKey'],
    [
      { limit: '1/day', singleActiveConsumer: true },
      'limit: expected no value with singleActiveConsumer, got true',
    ],
  ])('limit: %j is refused with its reason', (queue, text) => {
    expect(compiled({ texts: queue })).toThrow(`queue "texts": ${text}`);
  });

  it('limit: a name that is too long for its tokens, and a queue with the name of one of its own, are refused', () => {
    expect(compiled({ ['q'.repeat(240)]: { limit: '1/day' } })).toThrow(
      'limit: expected a name of at most 255 bytes for its tokens, got 267; shorten that of the queue',
    );
    expect(compiled({ texts: { limit: '1/day' }, 'texts.limit.1-86400000': {} })).toThrow(
      '"texts.limit.1-86400000" has the name of a queue for the limit of queue "texts"',
    );
  });

  it('limit: a login that runs a function may take the tokens of its queue, and add none', () => {
    const section = readSection({ ...limited, users: { worker: { functions: ['send'] } } });
    const [user] = compileUsers(section, { send: { events: [{ rabbitmq: { queue: 'texts' } }] } });
    const names = ['', '.consumers', '.used'].map((end) => `texts.limit.100-60000${end}`);
    const allowed = (rights = '') => names.filter((name) => new RegExp(rights).test(name));
    expect(allowed(user?.read)).toEqual([names[0], names[1]]);
    expect([allowed(user?.write), allowed(user?.configure)]).toEqual([[], []]);
  });

  it('limit: a login that counts may count its tokens', () => {
    const section = readSection({ ...limited, users: { counter: { counts: true } } });
    const [user] = compileUsers(section, {});
    for (const name of ['', '.consumers', '.used'].map((end) => `texts.limit.100-60000${end}`))
      expect(name).toMatch(new RegExp(user?.write ?? ''));
  });

  it.each([['amazon-mq'], [undefined]] as const)(
    "limit: a deployment with AWS's own mapping (source %s) is refused",
    (feed) => {
      const functions = { send: { events: [{ rabbitmq: { queue: 'texts' } }] } };
      const options = { notByAws: notByAws(readSection(limited)), mappingId: () => 'Mapping' };
      expect(() => prepareDeployment(functions, { feed, ...options })).toThrow(
        'functions.send: rabbitmq: queue "texts": it has a limit, and AWS\'s own mapping keeps none: ' +
          'set custom.warren.source to adapter or worker, or the source of the queue to adapter, or remove limit',
      );
      expect(() => prepareDeployment(functions, { feed: 'worker', ...options })).not.toThrow();
    },
  );
});
