import { describe, expect, it } from 'vitest';
import { readPolicies } from '../../../runtime/messages/policies.ts';
import WarrenPlugin from '../../../runtime/serverless/plugin.ts';

describe('the plugin', () => {
  it('plugin: every function receives the retry settings, including functions that a schedule calls', async () => {
    const functions = {
      fed: { handler: 'a.handler', events: [{ rabbitmq: { queue: 'q' } }], environment: { OWN: 'kept' } },
      woken: { handler: 'b.handler', events: [{ schedule: 'rate(1 minute)' }] },
    };
    const custom = { warren: { queues: { q: { retryDelays: [7], maxAge: 60 } } } };
    const plugin = new WarrenPlugin(
      {
        classes: { Error },
        service: { functions, provider: {}, custom },
        getProvider: () => ({ naming: { getRabbitMQEventLogicalId: () => 'id' } }),
      },
      {},
      { log: { notice: () => undefined, warning: () => undefined } },
    );
    await plugin.hooks['initialize']?.();
    const environments: (Record<string, string> | undefined)[] = Object.values(functions).map((each) =>
      'environment' in each ? each.environment : undefined,
    );
    const policies = { q: { delays: [7], maxAge: 60 } };
    expect(environments.map((each) => readPolicies(each))).toEqual([policies, policies]);
    expect(functions.fed.environment).toHaveProperty('OWN', 'kept');
  });
});
