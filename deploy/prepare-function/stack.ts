import { groupMark, groupOf } from '../groups.ts';
import type { Service } from '../service.ts';
import { attribute, type Resource } from '../template.ts';
import { awsUsers, mappingSecret } from './aws-users.ts';
import { awsUsersVariable, brokerLoginVariable, databaseLoginVariable, mappingLogin } from './variables.ts';

/** The function's key among those of serverless.yml. */
export const prepareKey = 'prepare';
const resourceId = 'Prepared';

/** Seconds. */
const timeout = 300;

/**
 * Adds the function that prepares broker and database inside the VPC, if the administrators' logins are named. Call it before the
 * references of secrets are filled in, so that they become those of this function too.
 *
 * @param secrets reference by variable.
 * @throws Error if only one of the two logins is named, or if logins of groups are to be created without the management API.
 */
export function addPrepareFunction(
  service: Service,
  secrets: Readonly<Record<string, string>>,
  { stage }: { stage: string },
): void {
  const { ADMIN_AMQP_URL: broker, ADMIN_DATABASE_URL: database, AMQP_URL = '', DATABASE_URL = '' } = secrets;
  if (!broker && !database) return;
  if (!broker || !database) {
    throw new Error('adminAmqpUrl: expected --param=adminAmqpUrl and --param=adminDatabaseUrl together');
  }
  if (AMQP_URL.includes(groupMark) && !secrets['ADMIN_AMQP_MANAGEMENT_URL']) {
    throw new Error(`adminAmqpManagementUrl: expected it beside an amqpUrl with ${groupMark}, got none`);
  }
  const logins = {
    ...(AMQP_URL.includes(groupMark) &&
      loginsOf(service, 'AMQP_URL', { text: AMQP_URL, name: brokerLoginVariable })),
    ...loginsOf(service, 'DATABASE_URL', { text: DATABASE_URL, name: databaseLoginVariable }),
    ...mappingLoginOf(service),
  };
  service.functions[prepareKey] = {
    name: `${service.service}-${stage}-${prepareKey}`,
    handler: 'deploy/prepare-function/handler.handler',
    events: [],
    timeout,
    memorySize: 512,
    package: { patterns: ['serverless.yml'] },
    environment: { ADMIN_AMQP_URL: '', ADMIN_AMQP_MANAGEMENT_URL: '', ADMIN_DATABASE_URL: '', ...logins },
  };
}

/** References to the members of the secret with the login of the mappings, and who else logs in on AWS only. */
function mappingLoginOf(service: Service): Record<string, string> {
  const secret = mappingSecret(service);
  return {
    ...(secret !== undefined && {
      [mappingLogin.name]: `secretsmanager:${secret}#username`,
      [mappingLogin.password]: `secretsmanager:${secret}#password`,
    }),
    [awsUsersVariable]: JSON.stringify(awsUsers(service)),
  };
}

/** References to the logins of all groups whose functions have a variable; one for all if the reference has no group. */
function loginsOf(
  service: Service,
  variable: string,
  { text, name }: { text: string; name: (group: string) => string },
): Record<string, string> {
  const keys = Object.keys(service.functions).filter((key) => {
    return variable in (service.functions[key]?.environment ?? {});
  });
  if (!text.includes(groupMark)) return keys.length > 0 && text !== '' ? { [name('functions')]: text } : {};
  const groups = new Set(keys.flatMap((key) => groupOf(service, key) ?? []));
  return Object.fromEntries([...groups].map((group) => [name(group), text.replaceAll(groupMark, group)]));
}

/**
 * Lets the compiled stack call the function when its code or its settings change, before the mappings and the aliases, which take the new
 * code of all other functions into service.
 */
export function prepareFirst(
  resources: Record<string, Resource>,
  { functionId, versionId }: { functionId: string; versionId: string },
): void {
  resources[resourceId] = {
    Type: 'Custom::Prepared',
    Properties: {
      ServiceToken: attribute(functionId, 'Arn'),
      // Without an answer, CloudFormation would wait for an hour.
      ServiceTimeout: String(timeout + 60),
      Version: attribute(versionId, 'Version'),
    },
  };
  for (const resource of Object.values(resources)) {
    const own = (resource.Properties?.['FunctionName'] as { Ref?: string } | undefined)?.Ref === functionId;
    const waits =
      resource.Type === 'AWS::Lambda::EventSourceMapping' || (resource.Type === 'AWS::Lambda::Alias' && !own);
    if (waits) resource.DependsOn = [...[resource.DependsOn ?? []].flat(), resourceId];
  }
}
