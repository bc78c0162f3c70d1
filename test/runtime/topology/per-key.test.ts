import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { notByAws, prepareDeployment } from '../../../runtime/serverless/package.ts';
import { applyTopology } from '../../../runtime/topology/apply.ts';
import { compileTopology } from '../../../runtime/topology/compile.ts';
import { diffTopology } from '../../../runtime/topology/diff.ts';
import { QueueStates } from '../../../runtime/topology/queue-states.ts';
import { readSection } from '../../../runtime/topology/schema.ts';
import { compileUsers } from '../../../runtime/topology/user-rights.ts';
import { unique } from '../../support/broker.ts';
import { patience } from '../../support/feeding.ts';
import { stack } from '../../support/stack.ts';
import { openVhost, type TestVhost } from '../../support/vhost.ts';

const perKey = { of: 'header.tenant', concurrency: 2, limit: '10/second' };
const section = { queues: { mails: { perKey, partitions: 2 } } };
const compiled = (queue: object) => () => compileTopology(readSection({ queues: { mails: queue } }));

describe('perKey', () => {
  let vhost: TestVhost;
  beforeAll(async () => {
    vhost = await openVhost(section);
  });
  afterAll(() => vhost.close());

  it('perKey: apply declares the partitions with what waits aside, and the diff shows nothing', async () => {
    const topology = compileTopology(readSection(section));
    await applyTopology(vhost.url, topology);
    const options = { managementUrl: stack.AMQP_MANAGEMENT_URL, vhost: vhost.name };
    await expect.poll(() => diffTopology(topology, options), patience).toEqual([]);
    const names = topology.queues.map(({ name }) => name);
    for (const name of ['mails.0', 'mails.0.parked', 'mails.1', 'mails.1.parked', 'mails.workers'])
      expect(names).toContain(name);
    expect(names.filter((name) => name.includes('.retry.'))).toEqual([]);
  });

  it('perKey: the state of the queue counts the messages that wait aside', async () => {
    const topology = compileTopology(readSection(section));
    const states = new QueueStates({ url: vhost.url, topology, name: unique('states') });
    vhost.channel.sendToQueue('mails.1.parked', Buffer.from('{}'));
    await vhost.channel.waitForConfirms();
    const read = async () => (await states.read()).find(({ queue }) => queue === 'mails')?.ready;
    await expect.poll(read, patience).toBe(1);
    await states.close();
  });

  it('perKey: without it, or with other partitions, the diff shows the messages that are left in the old ones', async () => {
    const own = await openVhost({
      exchanges: { shop: { type: 'topic' } },
      queues: { mails: { perKey, partitions: 2, bindings: [{ exchange: 'shop', routingKey: 'mail' }] } },
    });
    try {
      for (const name of ['mails.0', 'mails.1.parked']) own.channel.sendToQueue(name, Buffer.from('{}'));
      await own.channel.waitForConfirms();
      const options = { managementUrl: stack.AMQP_MANAGEMENT_URL, vhost: own.name };
      const leftOf = (mails: object) => async () => {
        const differences = await diffTopology(compileTopology(readSection({ queues: { mails } })), options);
        return differences
          .filter(({ kind }) => kind === 'surplus')
          .map(({ what, found }) => (found === undefined ? what : `${what} ${found}`));
      };
      const exchange = 'mails.by.header.tenant.2';
      const binding = `binding of exchange "${exchange}" to "shop" by "mail"`;
      await expect
        .poll(leftOf({}), patience)
        .toEqual([
          ...[
            'queue "mails.0" 1',
            'queue "mails.0.parked" 0',
            'queue "mails.1" 0',
            'queue "mails.1.parked" 1',
          ],
          ...['queue "mails.workers" 0', binding],
        ]);
      await expect
        .poll(leftOf({ perKey, partitions: 1 }), patience)
        .toEqual(expect.arrayContaining(['queue "mails.1.parked" 1', binding]));
      const topology = compileTopology(readSection({ queues: { mails: {} } }));
      await expect(applyTopology(own.url, topology)).rejects.toThrow('delete it when it and its partitions');
      expect(await own.count('mails.1.parked')).toBe(1);
    } finally {
      await own.close();
    }
  });

  it.each([
    [{ perKey: { of: 'header.tenant' } }, 'perKey: expected concurrency, limit or both'],
    [{ perKey: { of: 'routingKey', concurrency: 1 } }, 'perKey.of: expected header.<name> or correlationId'],
    [{ perKey: { ...perKey, limit: '10/hour' } }, 'perKey.limit: expected at most a minute, got 3600 s'],
    [
      { perKey: { ...perKey, limit: '1001/minute' } },
      'perKey.limit: expected at most 1000 in a time, got 1001',
    ],
    [{ perKey, limit: '1/second' }, 'limit: expected no value with perKey'],
    [{ perKey, orderBy: 'routingKey' }, 'orderBy: expected no value with perKey'],
    [{ perKey, messageTtl: 60 }, 'messageTtl: expected no value with perKey'],
    [{ perKey, kind: 'rpc' }, 'perKey: expected no value for kind rpc, got header.tenant'],
    [{ perKey, singleActiveConsumer: true }, 'singleActiveConsumer: expected no value with perKey'],
    [{ perKey, retryDelays: [3600] }, 'retryDelays: expected at most 840 s in all with perKey'],
  ])('perKey: %j is refused with its reason', (queue, text) => {
    expect(compiled(queue)).toThrow(text);
  });

  it('perKey: a login that runs a function may read what waits aside, and one that counts may count it', () => {
    const users = { worker: { functions: ['send'] }, counter: { counts: true } };
    const functions = { send: { events: [{ rabbitmq: { queue: 'mails' } }] } };
    const [worker, counter] = compileUsers(readSection({ ...section, users }), functions);
    expect('mails.1.parked').toMatch(new RegExp(worker?.read ?? ''));
    expect('mails.1.parked').not.toMatch(new RegExp(worker?.write ?? ''));
    expect('mails.1.parked').toMatch(new RegExp(counter?.write ?? ''));
  });

  it("perKey: a deployment with AWS's own mapping is refused", () => {
    const functions = { send: { events: [{ rabbitmq: { queue: 'mails' } }] } };
    const options = { notByAws: notByAws(readSection(section)), mappingId: () => 'Mapping' };
    expect(() => prepareDeployment(functions, { feed: 'amazon-mq', ...options })).toThrow(
      'queue "mails": it has a limit, and AWS\'s own mapping keeps none: set custom.warren.source to adapter or worker, or the source of the queue to adapter, or remove perKey',
    );
  });
});
