import { mappingsVariable, readPolledMappings } from 'warren/hosts';
import { deployedFeed, readSection } from 'warren/topology';
import { checkAddresses } from './addresses.ts';
import { alarms } from './alarms.ts';
import { allowOrigins, openDoor, throttle } from './front-door.ts';
import { withGroup } from './groups.ts';
import { ownDomain } from './own-domain.ts';
import { addPrepareFunction, prepareFirst, prepareKey } from './prepare-function/stack.ts';
import { bucketId, roleOf } from './roles.ts';
import { nameSecrets } from './secrets.ts';
import { environmentsOf, type FunctionSection, type Serverless, withoutDevelopment } from './service.ts';
import { type Settings, settings } from './settings.ts';
import { attribute, dropRepeatedDependencies, type Resource, ref, type Text } from './template.ts';
import { useOwnTemporaryFolder } from './temporary-folder.ts';

/**
 * Adapts serverless.yml for a deployment to AWS: replaces secrets by references, gives each function its own role, and adds
 * the alarms. It acts only for the commands `package` and `deploy`.
 */
export default class DeployPlugin {
  readonly hooks: Record<string, () => void>;
  /** The function of the stack that declares the topology, which the plugin `warren` asks for. */
  topologyBy: string | undefined;
  readonly #serverless: Serverless;

  constructor(serverless: Serverless) {
    this.#serverless = serverless;
    const keys = { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] };
    serverless.configSchemaHandler.defineFunctionProperties('aws', {
      properties: { bucket: { type: 'object', additionalProperties: keys } },
    });
    this.hooks = {
      initialize: () => this.#prepare(),
      'after:aws:package:finalize:mergeCustomProviderResources': () => this.#tidy(),
    };
  }

  #prepare(): void {
    const [command = ''] = this.#serverless.processedInput.commands;
    if (command !== 'package' && command !== 'deploy') return;
    useOwnTemporaryFolder();
    const { service } = this.#serverless;
    const deploy = settings.parse(service.custom['deploy']);
    if (deploy.subnets.length > 0) {
      service.provider.vpc = { subnetIds: deploy.subnets, securityGroupIds: deploy.securityGroups };
    }
    addPrepareFunction(service, deploy.secrets, { stage: this.#serverless.getProvider('aws').getStage() });
    this.topologyBy = service.functions[prepareKey]?.name;
    // The CLI uploads all functions in the state of the service, those too that are not deployed.
    nameSecrets(service, deploy.secrets);
    service.functions = withoutDevelopment(service.functions);
    // With the secrets, because an issuer of our own tokens is only a name.
    for (const environment of environmentsOf(service)) checkAddresses(environment);
    openDoor(service, deploy);
    this.#nameParts();
    const given = service.resources?.Resources ?? {};
    allowOrigins(given, deploy.origins);
    const added = { ...this.#addRoles(deploy), ...this.#alarms(deploy), ...ownDomain(deploy) };
    service.resources = { ...service.resources, Resources: { ...given, ...added } };
  }

  #tidy(): void {
    const { provider, custom } = this.#serverless.service;
    const { compiledCloudFormationTemplate: template } = provider;
    if (!template) return;
    const { throttle: limits } = settings.parse(custom['deploy']);
    throttle(template.Resources, { throttle: limits, routes: limits.routes });
    this.#prepareFirst(template.Resources);
    dropRepeatedDependencies(template.Resources);
  }

  #prepareFirst(resources: Record<string, Resource>): void {
    const { versionLogicalId: versionId } = this.#serverless.service.functions[prepareKey] ?? {};
    if (versionId === undefined) return;
    const { naming } = this.#serverless.getProvider('aws');
    prepareFirst(resources, { functionId: naming.getLambdaLogicalId(prepareKey), versionId });
  }

  /** Fills in what only a deployment knows: its bucket, the address of its HTTP functions, and that each instance is a process. */
  #nameParts(): void {
    for (const environment of environmentsOf(this.#serverless.service)) {
      if ('S3_BUCKET' in environment)
        Object.assign(environment, { S3_BUCKET: ref(bucketId), S3_ENDPOINT: '' });
      // A function handles one event at a time, and there may be a thousand instances.
      if (environment['DATABASE_CONNECTIONS'] === '') environment['DATABASE_CONNECTIONS'] = '1';
      if (environment['PUBLIC_URL'] === '') environment['PUBLIC_URL'] = attribute('HttpApi', 'ApiEndpoint');
    }
  }

  #addRoles({ secretsKey, brokerAudience, database: { login } }: Settings): Record<string, Resource> {
    const { functions, provider } = this.#serverless.service;
    const { naming } = this.#serverless.getProvider('aws');
    return Object.fromEntries(
      Object.entries(functions).map(([key, section]) => {
        const id = `${naming.getNormalizedFunctionName(key)}Role`;
        section.role = id;
        const role = roleOf({
          functionName: section.name,
          logGroup: naming.getLogGroupLogicalId(key),
          environment: { ...provider.environment, ...section.environment },
          bucket: section.bucket,
          brokers: section.events.flatMap(({ rabbitmq }) => (rabbitmq ? [brokerOf(rabbitmq)] : [])),
          calls: calledBy(section),
          databaseLogin:
            'DATABASE_URL' in (section.environment ?? {})
              ? withGroup(this.#serverless.service, key, { variable: 'databaseLogin', text: login })
              : undefined,
          brokerAudience: 'AMQP_URL' in (section.environment ?? {}) ? brokerAudience : undefined,
          secretsKey,
          network: provider.vpc,
          traced: provider.tracing?.lambda === true,
        });
        return [id, role];
      }),
    );
  }

  #alarms({ alarmMail, concurrencyQuota, brokerArn, database, ses }: Settings): Record<string, Resource> {
    const { service, functions, custom, provider } = this.#serverless.service;
    const feed = deployedFeed(readSection(custom['warren']));
    const deployed = Object.entries(functions).map(([key, { name, timeout = provider.timeout ?? 6 }]) => {
      return [key, { name, timeout }] as const;
    });
    const { instance, connections, storageGiB } = database;
    return alarms({
      prefix: `${service}-${this.#serverless.getProvider('aws').getStage()}`,
      functions: Object.fromEntries(deployed),
      feed,
      mail: alarmMail,
      concurrencyQuota,
      broker: feed === 'amazon-mq' ? brokerName(brokerArn) : undefined,
      database: instance === '' ? undefined : { instance, connections, storageBytes: storageGiB * 2 ** 30 },
      ses: ses === 'true',
    });
  }
}

/** The name in `arn:aws:mq:eu-west-1:123456789012:broker:warren:b-...`; undefined for the default, which no account has. */
function brokerName(arn: string): string | undefined {
  const [, account = '', name] = /^arn:[^:]+:mq:[^:]+:(\d+):broker:([^:]+):/.exec(arn) ?? [];
  return /^0+$/.test(account) ? undefined : name;
}

function brokerOf(rabbitmq: unknown): { arn: Text; secret: Text } {
  const { arn, basicAuthArn } = rabbitmq as { arn: Text; basicAuthArn: Text };
  return { arn, secret: basicAuthArn };
}

/** Names of the functions that a long-poll function feeds. The plugin `warren` has put them into its environment. */
function calledBy({ environment = {} }: FunctionSection): string[] {
  const text = environment[mappingsVariable];
  if (typeof text !== 'string') return [];
  return [...new Set(readPolledMappings({ [mappingsVariable]: text }).map(({ invokeAs }) => invokeAs))];
}
