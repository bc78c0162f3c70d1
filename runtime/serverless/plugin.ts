import { join } from 'node:path';
import { checkTimeouts } from '../event-source/ack-limit.ts';
import type { EventSource } from '../event-source/event-source.ts';
import { placeTopology } from '../topology/place.ts';
import { longPollSettings } from '../topology/queue-settings.ts';
import { polledQueues } from '../topology/queue-source.ts';
import { deployedRelease } from '../topology/release.ts';
import { deployedFeed } from '../topology/schema.ts';
import { withPlaces } from '../topology/yaml-places.ts';
import { hasSourceMaps, passMappings, passMethods, passPolicies, passSourceMaps } from './environment.ts';
import { type OfflineOptions, offlineEventSource } from './offline.ts';
import { keepBytes } from './offline-bodies.ts';
import { answerFailures } from './offline-failures.ts';
import { notByAws, prepareDeployment } from './package.ts';
import { Releases, type ReleasingServerless, releaseCommands } from './release/releases.ts';
import { readWarrenService, type Serverless, timeoutOf, type WarrenService } from './service.ts';

/** The parts of the serverless CLI that it lends to plugins. */
interface Utils {
  log: Record<'notice' | 'warning', (text: string) => void>;
}

/**
 * Checks `custom.warren` for every command of the serverless CLI. Under `serverless offline` it feeds functions from RabbitMQ, as
 * their `rabbitmq` events specify; `serverless deploy` declares the topology first.
 */
export default class WarrenPlugin {
  readonly commands = releaseCommands;
  readonly hooks: Record<string, () => Promise<void> | void>;
  readonly #serverless: Serverless;
  readonly #options: OfflineOptions;
  readonly #utils: Utils;
  #warren: WarrenService | undefined;
  #source: EventSource | undefined;
  #answering: Promise<void> | undefined;

  constructor(serverless: Serverless, options: OfflineOptions, utils: Utils) {
    this.#serverless = serverless;
    this.#options = options;
    this.#utils = utils;
    // `serverless offline` runs only its "before" hook, and then blocks until a signal comes; `serverless offline start` runs
    // the others.
    this.hooks = {
      // The CLI's object has more than what this plugin reads for every command.
      ...new Releases(serverless as unknown as ReleasingServerless, utils).hooks,
      initialize: () => withPlaces(this.#file(), () => this.#prepare()),
      'before:offline:start': () => this.#start(),
      'offline:start:ready': () => this.#start(),
      'before:offline:start:end': () => this.#stop(),
      'before:aws:deploy:deploy:createStack': () => this.#applyTopology(),
      finalize: () => this.#leave(),
    };
  }

  #prepare(): void {
    const { service, processedInput, getProvider } = this.#serverless;
    const warren = readWarrenService(service);
    this.#warren = warren;
    passPolicies(service, warren);
    passMethods(service, warren);
    const [command] = processedInput?.commands ?? [];
    const deploys = command === 'package' || command === 'deploy';
    passMappings(service, warren, deploys ? deployedRelease(warren.section)?.alias : undefined);
    if (command === 'offline') {
      keepBytes();
      passSourceMaps(service);
    }
    if (this.#invokesLocal()) bundleForInvokeLocal(service.custom);
    if (!deploys) return;
    checkTimeouts(warren.mappings, (functionName) => timeoutOf(service, functionName));
    if (hasSourceMaps(service)) passSourceMaps(service);
    installForLambda(service.provider.architecture);
    const { naming } = getProvider.call(this.#serverless, 'aws');
    prepareDeployment(service.functions, {
      feed: deployedFeed(warren.section),
      longPoll: longPollSettings(warren.section)?.function,
      polled: polledQueues(warren.section),
      notByAws: notByAws(warren.section),
      mappingId: (functionName, queue) => naming.getRabbitMQEventLogicalId(functionName, queue),
    });
  }

  #file(): string {
    const { serviceDir = '.', configurationFilename = 'serverless.yml' } = this.#serverless;
    return join(serviceDir, configurationFilename);
  }

  #invokesLocal(): boolean {
    const [command, sub] = this.#serverless.processedInput?.commands ?? [];
    return command === 'invoke' && sub === 'local';
  }

  /** AWS makes a mapping for a queue that does not exist, too, and reports only later that it does not work. */
  async #applyTopology(): Promise<void> {
    const { log } = this.#utils;
    const url = process.env['AMQP_URL'];
    if (!url) {
      const by = this.#serverless.pluginManager?.plugins.find(({ topologyBy }) => topologyBy)?.topologyBy;
      if (typeof by === 'string') {
        log.notice(`topology: declared by ${by} during the deployment, because AMQP_URL is not set here`);
        return;
      }
      const how =
        'AMQP_URL=amqps://... npx --no warren topology apply, from a machine that reaches the broker';
      log.warning(`topology: not checked, because AMQP_URL is not set here. Unless you have done it: ${how}`);
      return;
    }
    const { topology } = this.#warren ?? readWarrenService(this.#serverless.service);
    const managementUrl = process.env['AMQP_MANAGEMENT_URL'];
    const place = async () => {
      const { problems } = await placeTopology(topology, { url, managementUrl });
      for (const problem of problems) log.warning(`topology: ${problem}`);
    };
    await place().catch((cause: Error) => {
      // The CLI takes any other error for a bug of its own, and prints a stack trace.
      throw new this.#serverless.classes.Error(`topology: ${cause.message}`, 'WARREN_TOPOLOGY');
    });
    log.notice('topology: exchanges, queues and bindings are in place');
  }

  async #start(): Promise<void> {
    const { service } = this.#serverless;
    const { mappings } = this.#warren ?? readWarrenService(service);
    this.#answering ??= answerFailures(this.#serverless.serviceDir ?? '.', this.#utils.log.warning);
    await this.#answering;
    if (this.#source || mappings.length === 0) return;
    this.#source = offlineEventSource(service, mappings, this.#options);
    // serverless-offline stops at these signals too, but under plain `serverless offline` it calls no hook of a plugin.
    process.prependOnceListener('SIGINT', () => void this.#stop());
    process.prependOnceListener('SIGTERM', () => void this.#stop());
    await this.#source.start();
  }

  async #stop(): Promise<void> {
    await this.#source?.stop();
  }

  /** A function keeps its connections for its next call. After `invoke local` there is none, and the CLI would wait. */
  #leave(): void {
    if (this.#invokesLocal()) setImmediate(() => process.exit());
  }
}

/** `invoke local` finds no bundle that ends in .mjs; and the bundle that it makes must not end up in an artifact. */
function bundleForInvokeLocal(custom: Record<string, unknown> | undefined): void {
  const esbuild = custom?.['esbuild'];
  if (typeof esbuild !== 'object' || esbuild === null) return;
  Object.assign(esbuild, { outputFileExtension: '.js', outputWorkFolder: '.esbuild/local' });
}

/** Makes every npm that the CLI runs install native packages for the functions' platform, and not for this machine. */
function installForLambda(architecture: string | undefined): void {
  const cpu = architecture === 'arm64' ? 'arm64' : 'x64';
  Object.assign(process.env, { npm_config_os: 'linux', npm_config_cpu: cpu, npm_config_libc: 'glibc' });
}
