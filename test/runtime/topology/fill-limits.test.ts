import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BrokerConnection } from '../../../runtime/amqp/connection.ts';
import { applyTopology } from '../../../runtime/topology/apply.ts';
import { compileTopology } from '../../../runtime/topology/compile.ts';
import { diffTopology } from '../../../runtime/topology/diff.ts';
import { fillLimits } from '../../../runtime/topology/fill-limits.ts';
import { readSection } from '../../../runtime/topology/schema.ts';
import { limitQueues } from '../../../runtime/topology/token-names.ts';
import { unique } from '../../support/broker.ts';
import { patience } from '../../support/feeding.ts';
import { stack } from '../../support/stack.ts';
import { openVhost, type TestVhost } from '../../support/vhost.ts';

const sectionOf = (limit: string) => ({ queues: { texts: { limit } } });
const topologyOf = (limit: string) => compileTopology(readSection(sectionOf(limit)));
/** A period that does not end during a test. */
const { tokens, used, consumers } = limitQueues('texts', { count: 20, periodMs: 86_400_000 });

describe('the tokens of a limit', () => {
  let vhost: TestVhost;
  const apply = (limit = '20/day') => applyTopology(vhost.url, topologyOf(limit));
  const total = async () => (await vhost.count(tokens)) + (await vhost.count(used));
  beforeEach(async () => {
    vhost = await openVhost(sectionOf('20/day'));
  });
  afterEach(() => vhost.close());

  it('limit: apply declares exactly its tokens, a second time adds none, and the diff shows nothing', async () => {
    expect(await vhost.count(tokens)).toBe(20);
    await apply();
    expect(await total()).toBe(20);
    const options = { managementUrl: stack.AMQP_MANAGEMENT_URL, vhost: vhost.name };
    const diff = () => diffTopology(topologyOf('20/day'), options);
    await expect.poll(diff, patience).toEqual([]);
  });

  it('limit: several applies at the same time make its tokens once', async () => {
    await Promise.all(Array.from({ length: 4 }, () => apply('7/hour')));
    expect(await vhost.count(limitQueues('texts', { count: 7, periodMs: 3_600_000 }).tokens)).toBe(7);
  });

  it('limit: an apply that ended in between is completed by the next one, with exactly its tokens', async () => {
    await vhost.channel.deleteQueue(consumers);
    for (let n = 0; n < 3; n += 1) await vhost.channel.get(tokens, { noAck: true });
    await apply();
    expect(await total()).toBe(20);
  });

  it('limit: tokens whose queue was deleted are made again, and may be used when a period is over', async () => {
    await vhost.channel.deleteQueue(tokens);
    await apply();
    expect([await vhost.count(tokens), await vhost.count(used)]).toEqual([0, 20]);
  });

  it('limit: lost tokens are added again, and surplus ones removed', async () => {
    for (let n = 0; n < 3; n += 1) await vhost.channel.get(tokens, { noAck: true });
    await apply();
    expect([await vhost.count(tokens), await vhost.count(used)]).toEqual([17, 3]);
    for (let n = 0; n < 2; n += 1) vhost.channel.sendToQueue(tokens, Buffer.alloc(0));
    await vhost.channel.waitForConfirms();
    await apply();
    expect([await vhost.count(tokens), await vhost.count(used)]).toEqual([17, 3]);
  });

  it('limit: a token that a worker holds is not taken for a lost one', async () => {
    await vhost.channel.consume(consumers, () => undefined, { noAck: true });
    expect(await vhost.channel.get(tokens)).not.toBe(false);
    await apply();
    expect(await total()).toBe(19);
  });

  it('limit: an apply that loses its connection and with it its lock adds no tokens, and the next one completes it', async () => {
    const topology = topologyOf('30/day');
    const limited = topology.limited ?? [];
    const names = limitQueues('texts', { count: 30, periodMs: 86_400_000 });
    const connection = new BrokerConnection({ url: vhost.url, name: unique('apply') });
    const declare = async (name: string) => {
      const found = topology.queues.find((each) => each.name === name);
      await vhost.channel.assertQueue(name, { arguments: found?.arguments });
      if (name === names.used) connection.discard();
    };
    await expect(fillLimits(connection, limited, declare)).rejects.toThrow();
    await connection.close();
    expect([await vhost.count(names.tokens), await vhost.count(names.used)]).toEqual([0, 0]);
    await apply('30/day');
    expect([await vhost.count(names.tokens), await vhost.count(names.used)]).toEqual([0, 30]);
  });

  it('limit: the diff shows the queues of another limit, which stay at the broker', async () => {
    await vhost.channel.deleteQueue(consumers);
    const options = { managementUrl: stack.AMQP_MANAGEMENT_URL, vhost: vhost.name };
    const left = async () => {
      const differences = await diffTopology(topologyOf('30/day'), options);
      return differences.filter(({ kind }) => kind === 'surplus').map(({ what, found }) => [what, found]);
    };
    await expect.poll(left, patience).toEqual([
      [`queue "${tokens}"`, 20],
      [`queue "${used}"`, 0],
    ]);
  });

  it('limit: another limit has tokens of its own', async () => {
    await apply('30/day');
    expect(await vhost.count(limitQueues('texts', { count: 30, periodMs: 86_400_000 }).tokens)).toBe(30);
    expect(await total()).toBe(20);
  });
});
