import { parseReference, referenceForms } from 'warren/functions';
import { mappingsVariable, readPolledMappings } from 'warren/hosts';
import { deployedFeed, readSection } from 'warren/topology';
import { z } from 'zod';
import { alarms } from './alarms.ts';
import { type BucketAccess, bucketId, roleOf } from './roles.ts';
import { attribute, dropRepeatedDependencies, type Resource, ref, type Text } from './template.ts';

type Environment = Record<string, unknown>;

interface FunctionSection {
  name: string;
  events: Record<string, unknown>[];
  environment?: Environment;
  bucket?: BucketAccess;
  role?: string;
}

/** What this plugin reads and writes of the serverless CLI's object. */
interface Serverless {
  processedInput: { commands: string[] };
  service: {
    service: string;
    functions: Record<string, FunctionSection>;
    provider: {
      environment?: Environment;
      vpc?: { subnetIds: string[]; securityGroupIds: string[] };
      tracing?: { lambda?: unknown };
      compiledCloudFormationTemplate?: { Resources: Record<string, Resource> };
    };
    resources?: { Resources?: Record<string, unknown> };
    custom: Record<string, unknown>;
  };
  configSchemaHandler: { defineFunctionProperties(provider: string, schema: object): void };
  getProvider(name: 'aws'): {
    getStage(): string;
    naming: Record<'getNormalizedFunctionName' | 'getLogGroupLogicalId', (functionName: string) => string>;
  };
}

const list = z.string().transform((text) => text.split(',').flatMap((each) => each.trim() || []));

/** `custom.deploy` of serverless.yml. */
const settings = z.object({
  /** By variable, where a deployment finds what it must not hold; empty for what it does not use. */
  secrets: z.record(z.string(), z.string()),
  secretsKey: z.string(),
  subnets: list,
  securityGroups: list,
  alarmMail: z.string(),
});
type Settings = z.output<typeof settings>;

/**
 * Makes of serverless.yml what is deployed to AWS: names secrets where the environment holds them locally, gives each
 * function a role of its own, and adds the alarms. Any command but `package` and `deploy` it leaves alone.
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

  /** What only the stack knows: its bucket, and where its HTTP functions are. */
  #nameParts(): void {
    for (const environment of environmentsOf(this.#serverless.service)) {
      if ('S3_BUCKET' in environment)
        Object.assign(environment, { S3_BUCKET: ref(bucketId), S3_ENDPOINT: '' });
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

/**
 * Puts the names of secrets where the environment has them locally.
 *
 * @throws Error that names each parameter that holds a secret itself: everyone who may look at a function would see it.
 */
function nameSecrets(service: Serverless['service'], secrets: Settings['secrets']): void {
  const plain = Object.entries(secrets).filter(([, text]) => text !== '' && !parseReference(text));
  if (plain.length > 0) {
    const names = plain.map(([variable]) => `custom.deploy.secrets.${variable}`).join(', ');
    throw new Error(`${names}: expected where the secret is, such as ${referenceForms}, got something else`);
  }
  // The CLI notes the whole service and uploads it: the sections that the functions' variables came from, too.
  const sections = Object.values((service.custom['environment'] ?? {}) as Record<string, Environment>);
  for (const environment of [...sections, ...environmentsOf(service)]) {
    for (const [variable, text] of Object.entries(secrets)) {
      if (variable in environment) environment[variable] = text;
    }
    if (environment['AUTH_JWKS_URL']) trustIssuer(environment);
  }
}

/**
 * Tokens come from an issuer: there is no key of ours.
 *
 * @throws Error where the issuer's tokens for any other application would do: the functions refuse to start then.
 */
function trustIssuer(environment: Environment): void {
  if (!environment['AUTH_ISSUER'] || !environment['AUTH_AUDIENCE']) {
    throw new Error(
      'jwksUrl: expected --param=jwtIssuer and --param=jwtAudience beside it, or AUTH_ISSUER and AUTH_AUDIENCE',
    );
  }
  delete environment['AUTH_JWT_SECRET'];
}

function environmentsOf({ provider, functions }: Serverless['service']): Environment[] {
  const sections: { environment?: Environment }[] = [provider, ...Object.values(functions)];
  return sections.flatMap(({ environment }) => (environment ? [environment] : []));
}

function brokerOf(rabbitmq: unknown): { arn: Text; secret: Text } {
  const { arn, basicAuthArn } = rabbitmq as { arn: Text; basicAuthArn: Text };
  return { arn, secret: basicAuthArn };
}

/** Whom a long-poll function feeds: the plugin of the event source has told it. */
function calledBy({ environment = {} }: FunctionSection): string[] {
  const text = environment[mappingsVariable];
  if (typeof text !== 'string') return [];
  return [...new Set(readPolledMappings({ [mappingsVariable]: text }).map(({ invokeAs }) => invokeAs))];
}
