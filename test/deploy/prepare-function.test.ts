import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { addPrepareFunction, prepareFirst } from '../../deploy/prepare-function/stack.ts';
import type { Service } from '../../deploy/service.ts';
import type { Resource } from '../../deploy/template.ts';
import { projectFile } from '../../dev/stack/project.ts';

const readYml = () => parse(readFileSync(projectFile('serverless.yml'), 'utf8'), { merge: true }) as Service;
const admin = { ADMIN_AMQP_URL: 'ssm:/admin/amqp', ADMIN_DATABASE_URL: 'ssm:/admin/database' };

describe('the function that prepares a deployment', () => {
  it('prepare: there is none without the logins of administrators', () => {
    const service = readYml();
    addPrepareFunction(service, { AMQP_URL: 'ssm:/amqp' }, { stage: 'prod' });
    expect(service.functions).not.toHaveProperty('prepare');
  });

  it('prepare: it gets the login of each group, once', () => {
    const service = readYml();
    const secrets = {
      ...admin,
      ADMIN_AMQP_MANAGEMENT_URL: 'ssm:/admin/management',
      AMQP_URL: 'ssm:/amqp-{group}',
      DATABASE_URL: 'ssm:/database-{group}',
    };
    addPrepareFunction(service, secrets, { stage: 'prod' });
    const { environment = {}, name } = service.functions['prepare'] ?? {};
    expect(name).toBe('warren-prod-prepare');
    expect(environment).toMatchObject({
      LOGIN_AMQP_RESIZE: 'ssm:/amqp-resize',
      LOGIN_DATABASE_HTTP: 'ssm:/database-http',
    });
    // That of other programs is no group's.
    expect(environment).not.toHaveProperty('LOGIN_AMQP_ALERT_CLIENT');
  });

  it("prepare: it gets the login of AWS's mappings, and what they and the long poll may do", () => {
    const service = readYml();
    const secret =
      'arn:aws:secretsmanager:eu-west-1:123456789012:secret:warren/prod/broker/aws-mapping-AbCdEf';
    service.functions['ping'] = {
      name: 'warren-prod-ping',
      events: [{ rabbitmq: { basicAuthArn: secret, queue: 'ping' } }],
    };
    const mapping = {
      arn: 'arn',
      queue: 'walker-notices',
      functionName: 'notify-walker',
      invokeAs: 'warren-prod-notify-walker',
      timeoutMs: 60_000,
    };
    service.functions = {
      ping: service.functions['ping'],
      'notify-walker': { name: 'warren-prod-notify-walker', events: [] },
      'poll-queues': {
        name: 'poll',
        events: [],
        environment: { WARREN_MAPPINGS: JSON.stringify([mapping]) },
      },
    };
    addPrepareFunction(service, admin, { stage: 'prod' });
    const { environment = {} } = service.functions['prepare'] ?? {};
    expect(environment).toMatchObject({
      MAPPING_LOGIN_NAME: `secretsmanager:${secret}#username`,
      MAPPING_LOGIN_PASSWORD: `secretsmanager:${secret}#password`,
    });
    expect(JSON.parse(String(environment['AWS_USERS']))).toEqual({
      'aws-mapping': { consumes: ['ping'] },
      adapter: { functions: ['notify-walker'], answers: false },
    });
  });

  it('prepare: it does not read the secret that no account has', () => {
    const service = readYml();
    const event = {
      basicAuthArn: 'arn:aws:secretsmanager:us-east-1:000000000000:secret:warren-broker-000000',
      queue: 'ping',
    };
    service.functions['ping'] = { name: 'ping', events: [{ rabbitmq: event }] };
    addPrepareFunction(service, admin, { stage: 'prod' });
    expect(service.functions['prepare']?.environment).not.toHaveProperty('MAPPING_LOGIN_NAME');
  });

  it.each([
    [
      { ADMIN_AMQP_URL: 'ssm:/a' },
      'adminAmqpUrl: expected --param=adminAmqpUrl and --param=adminDatabaseUrl together',
    ],
    [
      { ...admin, AMQP_URL: 'ssm:/amqp-{group}' },
      'adminAmqpManagementUrl: expected it beside an amqpUrl with {group}',
    ],
  ])('prepare: it is refused with %j', (secrets, problem) => {
    expect(() => addPrepareFunction(readYml(), secrets, { stage: 'prod' })).toThrow(problem);
  });

  it('prepare: mappings and the aliases of other functions wait for it, and its own does not', () => {
    const alias = (id: string): Resource => ({
      Type: 'AWS::Lambda::Alias',
      Properties: { FunctionName: { Ref: id } },
    });
    const resources: Record<string, Resource> = {
      Mapping: { Type: 'AWS::Lambda::EventSourceMapping', DependsOn: 'OtherAlias' },
      OtherAlias: alias('Other'),
      OwnAlias: alias('Own'),
    };
    prepareFirst(resources, { functionId: 'Own', versionId: 'Version' });
    expect(resources['Mapping']?.DependsOn).toEqual(['OtherAlias', 'Prepared']);
    expect(resources['OtherAlias']?.DependsOn).toEqual(['Prepared']);
    expect(resources['OwnAlias']?.DependsOn).toBeUndefined();
    expect(resources['Prepared']?.Properties).toMatchObject({ ServiceTimeout: '360' });
  });
});
