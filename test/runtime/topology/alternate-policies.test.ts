import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyTopology } from '../../../runtime/topology/apply.ts';
import { compileTopology } from '../../../runtime/topology/compile.ts';
import { diffTopology } from '../../../runtime/topology/diff.ts';
import { placeTopology } from '../../../runtime/topology/place.ts';
import { readSection } from '../../../runtime/topology/schema.ts';
import { management, openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { stack } from '../../support/stack.ts';

const patience = { timeout: 20_000, interval: 100 };
const managed = { url: stack.AMQP_URL, managementUrl: stack.AMQP_MANAGEMENT_URL };

describe('alternate exchanges of exchanges that exist', () => {
  let broker: TestBroker;
  const queue = unique('rest');

  beforeAll(async () => {
    broker = await openBroker();
  });
  afterAll(async () => {
    await broker.remove(queue);
    await broker.close();
  });

  it('exchange settings: an alternate exchange is added to an existing exchange by a policy, which follows the setting and goes with it', async () => {
    const [main, other, another] = [unique('main'), unique('other'), unique('another')];
    const topology = (alternateExchange?: string) =>
      compileTopology(
        readSection({
          retryDelays: [1],
          exchanges: {
            [main]: { type: 'topic', alternateExchange },
            [other]: { type: 'fanout' },
            [another]: { type: 'fanout' },
          },
          queues: { [queue]: { bindings: [{ exchange: other }] } },
        }),
      );
    const options = { managementUrl: stack.AMQP_MANAGEMENT_URL, vhost: '%2F' };
    const differences = async (alternate?: string) =>
      (await diffTopology(topology(alternate), options)).filter(({ what }) => what.includes(main));
    const place = async (alternate?: string) =>
      (await placeTopology(topology(alternate), managed)).exchangePolicies;
    const name = `warren.alternate.${main}`;
    const property = 'alternate-exchange';
    const changed = { what: `exchange "${main}"`, kind: 'outdated', property };
    expect(await place()).toEqual([]);
    expect(await differences(other)).toEqual([{ ...changed, declared: other }]);
    expect(await place(other)).toEqual([name]);
    expect(await place(other)).toEqual([]);
    expect(await differences(other)).toEqual([]);
    await broker.publish(main, 'nothing', 'rest');
    expect((await broker.take(queue)).fields.exchange).toBe(main);

    expect(await differences(another)).toEqual([{ ...changed, declared: another, found: other }]);
    expect(await place(another)).toEqual([name]);
    const ends = { what: `policy "${name}"`, kind: 'outdated', property, found: another };
    await expect.poll(() => differences(), patience).toEqual([ends]);
    expect(await place()).toEqual([name]);
    await expect.poll(() => differences(), patience).toEqual([]);
    await broker.publish(main, 'nothing', 'lost', { mandatory: false });
    expect(await broker.count(queue)).toBe(0);
    for (const exchange of [main, other, another]) await broker.channel.deleteExchange(exchange);
  });

  it('exchange settings: a policy of another name that takes precedence over the alternate exchange is reported', async () => {
    const [main, own] = [unique('main'), unique('own')];
    const topology = (alternateExchange?: string) =>
      compileTopology(
        readSection({
          exchanges: { [main]: { type: 'topic', alternateExchange }, rest: { type: 'fanout' } },
        }),
      );
    await applyTopology(stack.AMQP_URL, topology());
    const policy = {
      pattern: `^${main}$`,
      definition: { 'alternate-exchange': 'amq.fanout' },
      'apply-to': 'exchanges',
    };
    await management('PUT', `/policies/%2F/${own}`, policy);
    try {
      const { problems } = await placeTopology(topology('rest'), managed);
      expect(problems).toEqual([expect.stringContaining(`its policy "${own}" takes precedence`)]);
    } finally {
      for (const name of [own, `warren.alternate.${main}`])
        await management('DELETE', `/policies/%2F/${name}`);
      for (const exchange of [main, 'rest']) await broker.channel.deleteExchange(exchange);
    }
  });

  it('exchange settings: an alternate exchange that is an argument keeps its value, and the error advises what to do', async () => {
    const [main, other] = [unique('main'), unique('other')];
    const topology = (alternateExchange: string) =>
      compileTopology(
        readSection({
          exchanges: {
            [main]: { type: 'topic', alternateExchange },
            [other]: { type: 'fanout' },
            [`${other}-2`]: { type: 'fanout' },
          },
        }),
      );
    await placeTopology(topology(other), managed);
    await expect(placeTopology(topology(`${other}-2`), managed)).rejects.toThrow(
      /inequivalent arg 'alternate-exchange'.*an exchange keeps its type and arguments/,
    );
    for (const exchange of [main, other, `${other}-2`]) await broker.channel.deleteExchange(exchange);
  });
});
