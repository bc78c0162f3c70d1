import { createLog } from '../base/log.ts';
import { EventSource } from '../event-source/event-source.ts';
import { type Mapping, readMappings } from '../event-source/mapping.ts';
import { lambdaInvoke } from '../hosts/lambda.ts';
import { mappingsVariable, type PolledMapping, writePolledMappings } from '../hosts/long-poll.ts';
import { policiesText, policiesVariable } from '../messages/policies.ts';
import {
  applyTopology,
  compileTopology,
  consumedQueues,
  deployedFeed,
  longPollSettings,
  queueSettings,
} from '../topology/compile.ts';
import { type DeployedFunction, prepareDeployment } from './package.ts';

/** What this plugin reads of the serverless CLI's object. */
interface Serverless {
  processedInput?: { commands?: string[] };
  classes: { Error: new (message: string, code: string) => Error };
  service: {
    functions: Record<string, DeployedFunction & { environment?: Record<string, unknown> }>;
    provider: { timeout?: number; architecture?: string; environment?: Record<string, unknown> };
    custom?: Record<string, unknown>;
  };
  getProvider(name: 'aws'): {
    naming: { getRabbitMQEventLogicalId(functionName: string, queue: string): string };
  };
}

/** What the serverless CLI lends to plugins. */
interface Utils {
  log: Record<'notice' | 'warning', (text: string) => void>;
}

interface Options {
  lambdaPort?: number | string;
}

/**
 * Feeds the functions of a service from RabbitMQ under `serverless offline`: it reads their `rabbitmq` events, consumes
 * from the broker at AMQP_URL and calls them through serverless-offline's Lambda API. For every command it checks
 * `custom.warren`; `deploy` declares the topology first.
 */
export default class WarrenPlugin {
  readonly hooks: Record<string, () => Promise<void> | void>;
  readonly #serverless: Serverless;
  readonly #options: Options;
  readonly #utils: Utils;
  #source: EventSource | undefined;

  constructor(serverless: Serverless, options: Options, utils: Utils) {
    this.#serverless = serverless;
    this.#options = options;
    this.#utils = utils;
    // `serverless offline` runs its "before" hook only, and then blocks until a signal comes; `serverless offline start`
    // runs the others.
    this.hooks = {
      initialize: () => this.#prepare(),
      'before:offline:start': () => this.#start(),
      'offline:start:ready': () => this.#start(),
      'before:offline:start:end': () => this.#stop(),
      'before:aws:deploy:deploy:createStack': () => this.#applyTopology(),
      finalize: () => this.#leave(),
    };
  }

  #prepare(): void {
    const { service } = this.#serverless;
    compileTopology(service.custom?.['warren'], consumedQueues(service.functions));
    const mappings = readMappings(service.functions, service.custom?.['warren']);
    this.#passPolicies();
    this.#passMappings(mappings);
    const invokesLocal = this.#invokesLocal();
    const [command = ''] = this.#serverless.processedInput?.commands ?? [];
    const esbuild = (service.custom?.['esbuild'] ?? {}) as Record<string, unknown>;
    // `invoke local` looks for no bundle that ends in .mjs; and what it makes must not end up in an artifact.
    if (invokesLocal)
      Object.assign(esbuild, { outputFileExtension: '.js', outputWorkFolder: '.esbuild/local' });
    if (command === 'package' || command === 'deploy') {
      // For each npm that is run from here: native packages for where the functions will run, not for this machine.
      const cpu = service.provider.architecture === 'arm64' ? 'arm64' : 'x64';
      Object.assign(process.env, { npm_config_os: 'linux', npm_config_cpu: cpu, npm_config_libc: 'glibc' });
      const { naming } = this.#serverless.getProvider('aws');
      prepareDeployment(service.functions, {
        feed: deployedFeed(service.custom?.['warren']),
        longPoll: longPollSettings(service.custom?.['warren'])?.function,
        mappingId: (functionName, queue) => naming.getRabbitMQEventLogicalId(functionName, queue),
      });
    }
  }

  #invokesLocal(): boolean {
    const [command, sub] = this.#serverless.processedInput?.commands ?? [];
    return command === 'invoke' && sub === 'local';
  }

  /**
   * Handlers read no serverless.yml: how queues' messages are tried again reaches them as a variable. All of them, since one
   * that no queue feeds may set messages aside as well, as `flush-alerts` does.
   */
  #passPolicies(): void {
    const { functions, custom } = this.#serverless.service;
    const text = policiesText(queueSettings(custom?.['warren']));
    if (text === undefined) return;
    for (const definition of Object.values(functions))
      definition.environment = { [policiesVariable]: text, ...definition.environment };
  }

  /** What a long-poll function is to feed: names of functions are known here, and not in the function. */
  #passMappings(mappings: readonly Mapping[]): void {
    const { functions, provider, custom } = this.#serverless.service;
    const settings = longPollSettings(custom?.['warren']);
    if (!settings) return;
    const definition = functions[settings.function];
    if (!definition) {
      throw new Error(`custom.warren.longPoll: there is no function "${settings.function}"`);
    }
    const polled = mappings
      .filter(({ queue }) => settings.queues.includes(queue))
      .map((mapping): PolledMapping => {
        const { name = mapping.functionName, timeout = provider.timeout ?? 6 } =
          functions[mapping.functionName] ?? {};
        return { ...mapping, invokeAs: name, timeoutMs: timeout * 1000 };
      });
    definition.environment = { [mappingsVariable]: writePolledMappings(polled), ...definition.environment };
  }

  /** AWS makes a mapping for a queue that is not there, too, and only later says that it doesn't work. */
  async #applyTopology(): Promise<void> {
    const { service } = this.#serverless;
    const { log } = this.#utils;
    const url = process.env['AMQP_URL'];
    if (!url) {
      const how = 'AMQP_URL=amqps://... npx warren topology apply, from where the broker can be reached';
      log.warning(`topology: not checked, since AMQP_URL is not set here. If that was not done yet: ${how}`);
      return;
    }
    const topology = compileTopology(service.custom?.['warren'], consumedQueues(service.functions));
    await applyTopology(url, topology).catch((cause: Error) => {
      // Any other error the CLI takes for a bug of its own, and prints where in the code it was.
      throw new this.#serverless.classes.Error(`topology: ${cause.message}`, 'WARREN_TOPOLOGY');
    });
    log.notice('topology: exchanges, queues and bindings are in place');
  }

  async #start(): Promise<void> {
    if (this.#source) return;
    const { service } = this.#serverless;
    const mappings = readMappings(service.functions, service.custom?.['warren']);
    if (mappings.length === 0) return;
    const url = process.env['AMQP_URL'];
    if (!url) {
      throw new Error('AMQP_URL: expected the URL of a RabbitMQ, got none; set it to your broker');
    }
    const log = createLog({
      LOG_LEVEL: process.env['LOG_LEVEL'] ?? 'info',
      AWS_LAMBDA_FUNCTION_NAME: 'event-source',
    });
    this.#source = new EventSource({ url, mappings, log, invoke: (mapping) => this.#invoke(mapping) });
    // serverless-offline stops at these signals too, but tells no plugin under plain `serverless offline`.
    process.prependOnceListener('SIGINT', () => void this.#stop());
    process.prependOnceListener('SIGTERM', () => void this.#stop());
    await this.#source.start();
  }

  #invoke({ functionName }: Mapping) {
    const { service } = this.#serverless;
    const definition = service.functions[functionName];
    const offline = (service.custom?.['serverless-offline'] ?? {}) as Options;
    const port = this.#options.lambdaPort ?? offline.lambdaPort ?? 3002;
    return lambdaInvoke({
      functionName: definition?.name ?? functionName,
      timeoutMs: (definition?.timeout ?? service.provider.timeout ?? 6) * 1000,
      endpoint: `http://127.0.0.1:${port}`,
    });
  }

  async #stop(): Promise<void> {
    await this.#source?.stop();
  }

  /** A function keeps its connections for its next call. After `invoke local` there is none, and the CLI would wait. */
  #leave(): void {
    if (this.#invokesLocal()) setImmediate(() => process.exit());
  }
}
