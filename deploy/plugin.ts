import { mappingsVariable, readPolledMappings } from 'warren/hosts';
import { deployedFeed, readSection } from 'warren/topology';
import { z } from 'zod';
import { alarms } from './alarms.ts';
import { bucketId, roleOf } from './roles.ts';
import { nameSecrets } from './secrets.ts';
import { environmentsOf, type FunctionSection, type Serverless } from './service.ts';
import { attribute, dropRepeatedDependencies, type Resource, ref, type Text } from './template.ts';

const list = z.string().transform((text) => text.split(',').flatMap((each) => each.trim() || []));

/** `custom.deploy` of serverless.yml. */
const settings = z.object({
  /** Reference to a secret by variable, or an empty text for an unused secret. A deployment contains no secret itself. */
  secrets: z.record(z.string(), z.string()),
  secretsKey: z.string(),
  subnets: list,
  securityGroups: list,
  alarmMail: z.string(),
});
type Settings = z.output<typeof settings>;

/**
 * Adapts serverless.yml for a deployment to AWS: replaces secrets by references, gives each function its own role, and adds
 * the alarms. It acts only for the commands `package` and `deploy`.
 */
export default class DeployPlugin {
  readonly hooks: Record<string, () => void>;
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
    const { service } = this.#serverless;
    const deploy = settings.parse(service.custom['deploy']);
    if (deploy.subnets.length > 0) {
      service.provider.vpc = { subnetIds: deploy.subnets, securityGroupIds: deploy.securityGroups };
    }
    nameSecrets(service, deploy.secrets);
    this.#nameParts();
    const added: Record<string, Resource> = { ...this.#addRoles(deploy), ...this.#alarms(deploy) };
    service.resources = { ...service.resources, Resources: { ...service.resources?.Resources, ...added } };
  }

  #tidy(): void {
    const { compiledCloudFormationTemplate: template } = this.#serverless.service.provider;
    if (template) dropRepeatedDependencies(template.Resources);
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

  #addRoles({ secretsKey }: Settings): Record<string, Resource> {
    const { functions, provider } = this.#serverless.service;
    const { naming } = this.#serverless.getProvider('aws');
    return Object.fromEntries(
      Object.entries(functions).map(([key, section]) => {
        const id = `${naming.getNormalizedFunctionName(key)}Role`;
        section.role = id;
        const role = roleOf({
          logGroup: naming.getLogGroupLogicalId(key),
          environment: { ...provider.environment, ...section.environment },
          bucket: section.bucket,
          brokers: section.events.flatMap(({ rabbitmq }) => (rabbitmq ? [brokerOf(rabbitmq)] : [])),
          calls: calledBy(section),
          secretsKey,
          network: provider.vpc,
          traced: provider.tracing?.lambda === true,
        });
        return [id, role];
      }),
    );
  }

  #alarms({ alarmMail }: Settings): Record<string, Resource> {
    const { service, functions, custom } = this.#serverless.service;
    return alarms({
      prefix: `${service}-${this.#serverless.getProvider('aws').getStage()}`,
      functions: Object.fromEntries(Object.entries(functions).map(([key, { name }]) => [key, name])),
      feed: deployedFeed(readSection(custom['warren'])),
      mail: alarmMail,
    });
  }
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
