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
