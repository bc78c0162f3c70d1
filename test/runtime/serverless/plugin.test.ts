import { afterEach, describe, expect, it, vi } from 'vitest';
import { readMethods } from '../../../runtime/http/methods.ts';
import { readPolicies } from '../../../runtime/messages/policies.ts';
import WarrenPlugin from '../../../runtime/serverless/plugin.ts';
import type { ServiceFunction } from '../../../runtime/serverless/service.ts';

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

  it('plugin: functions of HTTP routes receive the methods that HTTP may reach, and others do not', async () => {
    const functions: Record<string, ServiceFunction> = {
      call: { events: [{ httpApi: 'POST /rpc/{method}' }] },
      fed: { events: [{ schedule: 'rate(1 minute)' }] },
    };
    const custom = { warren: { methods: { add: { scope: 'sums', rate: 'off' }, ping: {} } } };
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
    expect(readMethods(functions['call']?.environment as Record<string, string>)).toEqual({
      add: { scope: 'sums', maxBytes: 65_536, timeout: 10, rate: 'off' },
      ping: { scope: 'rpc:call', maxBytes: 65_536, timeout: 10, rate: '600/minute' },
    });
    expect(functions['fed']?.environment).toBeUndefined();
  });

  it('offline: Node reads the source maps of every function, beside the options that it has already', async () => {
    const functions: Record<string, ServiceFunction> = {
      own: { events: [], environment: { NODE_OPTIONS: '--no-warnings' } },
      other: { events: [] },
    };
    const plugin = new WarrenPlugin(
      {
        processedInput: { commands: ['offline', 'start'] },
        classes: { Error },
        service: { functions, provider: {} },
        getProvider: () => ({ naming: { getRabbitMQEventLogicalId: () => 'id' } }),
      },
      {},
      { log: { notice: () => undefined, warning: () => undefined } },
    );
    await plugin.hooks['initialize']?.();
    const options = Object.values(functions).map(({ environment }) => environment?.['NODE_OPTIONS']);
    expect(options).toEqual(['--no-warnings --enable-source-maps', '--enable-source-maps']);
  });

  it.each([
    [true, '--enable-source-maps'],
    ['linked', '--enable-source-maps'],
    ['external', undefined],
    [false, undefined],
    [undefined, undefined],
  ])(
    'package: with sourcemap %s of serverless-esbuild, NODE_OPTIONS on Lambda are %s',
    async (sourcemap, expected) => {
      const functions: Record<string, ServiceFunction> = {
        other: { events: [] },
        reference: { events: [], environment: { NODE_OPTIONS: { Ref: 'Options' } } },
        set: { events: [], environment: { NODE_OPTIONS: '--enable-source-maps' } },
      };
      const plugin = new WarrenPlugin(
        {
          processedInput: { commands: ['package'] },
          classes: { Error },
          service: { functions, provider: {}, custom: { esbuild: { sourcemap } } },
          getProvider: () => ({ naming: { getRabbitMQEventLogicalId: () => 'id' } }),
        },
        {},
        { log: { notice: () => undefined, warning: () => undefined } },
      );
      await plugin.hooks['initialize']?.();
      const options = Object.values(functions).map(({ environment }) => environment?.['NODE_OPTIONS']);
      expect(options).toEqual([expected, { Ref: 'Options' }, '--enable-source-maps']);
    },
  );

  it.each([
    ['package', 'the function', { timeout: 900 }, {}],
    ['deploy', 'the provider', {}, { timeout: 1200 }],
  ])(
    '%s: a timeout of %s that does not fit the limit for acknowledgements is refused',
    async (command, _of, own, provider) => {
      const seconds = { ...provider, ...own }.timeout;
      const message = new RegExp(
        `functions\\.fed: timeout: expected less than 900 s, because .*queue "q".*30 minutes; got ${seconds} s; lower the timeout`,
      );
      await expect(prepareFor(command, own, provider)).rejects.toThrow(
        expect.objectContaining({ code: 'ERR_CONFIG', message: expect.stringMatching(message) }),
      );
    },
  );

  it('package: a timeout below 15 minutes is accepted, and that of a function without a queue does not matter', async () => {
    await prepareFor('package', { timeout: 899 }, { timeout: 900 });
    await prepareFor('print', { timeout: 900 }, {});
  });

  it.each([
    [[], 'warning', /topology: not checked, because AMQP_URL is not set here/],
    [[{ topologyBy: 'parcels-prod-prepare' }], 'notice', /topology: declared by parcels-prod-prepare during/],
  ])(
    'plugin: a deployment without AMQP_URL and with the plugins %j writes a %s',
    async (plugins, kind, text) => {
      vi.stubEnv('AMQP_URL', undefined);
      const lines: string[] = [];
      const log = (own: string) => (line: string) => void lines.push(`${own}: ${line}`);
      const plugin = new WarrenPlugin(
        {
          classes: { Error },
          service: { functions: {}, provider: {}, custom: { warren: {} } },
          pluginManager: { plugins: [{}, ...plugins] },
          getProvider: () => ({ naming: { getRabbitMQEventLogicalId: () => 'id' } }),
        },
        {},
        { log: { notice: log('notice'), warning: log('warning') } },
      );
      await plugin.hooks['before:aws:deploy:deploy:createStack']?.();
      vi.unstubAllEnvs();
      expect(lines).toEqual([expect.stringMatching(text)]);
      expect(lines[0]).toMatch(new RegExp(`^${kind}: `));
    },
  );
});

const install = ['npm_config_os', 'npm_config_cpu', 'npm_config_libc'];
afterEach(() => {
  for (const name of install) delete process.env[name];
});

/** Runs the plugin's hook for a command on a service with one function behind a queue, and one without. */
async function prepareFor(
  command: string,
  own: { timeout?: number },
  provider: { timeout?: number },
): Promise<void> {
  const plugin = new WarrenPlugin(
    {
      processedInput: { commands: [command] },
      classes: { Error },
      service: {
        functions: { fed: { events: [{ rabbitmq: { queue: 'q' } }], ...own }, free: { events: [] } },
        provider,
        custom: { warren: { queues: { q: {} } } },
      },
      getProvider: () => ({ naming: { getRabbitMQEventLogicalId: () => 'id' } }),
    },
    {},
    { log: { notice: () => undefined, warning: () => undefined } },
  );
  await plugin.hooks['initialize']?.();
}
