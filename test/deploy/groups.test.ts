import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { withGroup } from '../../deploy/groups.ts';
import { roleOf } from '../../deploy/roles.ts';
import { nameSecrets } from '../../deploy/secrets.ts';
import type { Service } from '../../deploy/service.ts';
import { settings } from '../../deploy/settings.ts';
import { projectFile } from '../../dev/stack/project.ts';

const readYml = () => parse(readFileSync(projectFile('serverless.yml'), 'utf8'), { merge: true }) as Service;
const given = { AMQP_URL: 'ssm:/warren/prod/amqp-url-{group}', SMTP_URL: 'secretsmanager:warren/{group}' };
const variable = (service: Service, key: string, name = 'AMQP_URL') =>
  service.functions[key]?.environment?.[name];

describe('secrets of groups of functions', () => {
  it('groups: a function on AWS reads the login of the user that its containers have', () => {
    const service = readYml();
    nameSecrets(service, given);
    const wanted = {
      'raise-alert': 'http',
      'check-parts': 'http',
      'email-alert': 'alerts',
      'flush-alerts': 'schedule',
      'add-points': 'pictures',
      'resize-picture': 'resize',
      'dog-walk': 'bookings',
      ping: 'rpc',
    };
    for (const [key, group] of Object.entries(wanted)) {
      expect(variable(service, key), key).toBe(`ssm:/warren/prod/amqp-url-${group}`);
    }
    expect(variable(service, 'email-alert', 'SMTP_URL')).toBe('secretsmanager:warren/alerts');
    const left = Object.values(service.functions).map(({ environment }) => JSON.stringify(environment ?? {}));
    expect(left.join()).not.toContain('{group}');
  });

  it('groups: a reference without a group is the same for all', () => {
    const service = readYml();
    nameSecrets(service, { AMQP_URL: 'ssm:/warren/prod/amqp-url' });
    const all = Object.keys(service.functions).flatMap((key) => variable(service, key) ?? []);
    expect(new Set(all)).toEqual(new Set(['ssm:/warren/prod/amqp-url']));
  });

  it('groups: a function in no group is named', () => {
    const service = readYml();
    service.functions['lonely'] = { name: 'lonely', events: [], environment: { AMQP_URL: '' } };
    expect(() => nameSecrets(service, given)).toThrow(
      'AMQP_URL: expected a user of custom.warren.users with the function lonely for {group}, got none',
    );
  });

  it('groups: a secret itself is refused, also with a group', () => {
    expect(() => nameSecrets(readYml(), { AMQP_URL: 'amqp://user:pa55word@{group}' })).toThrow(
      /custom\.deploy\.secrets\.AMQP_URL: expected a reference to the secret/,
    );
  });
});

describe('a login at the broker by IAM', () => {
  const statementsOf = (brokerAudience: string | undefined) => {
    const { Properties } = roleOf({
      functionName: 'ping',
      logGroup: 'LogGroup',
      environment: {},
      brokers: [],
      calls: [],
      brokerAudience,
      secretsKey: '',
      traced: false,
    });
    const { Policies } = Properties as {
      Policies: { PolicyDocument: { Statement: { Action: string[] }[] } }[];
    };
    return Policies.flatMap(({ PolicyDocument }) => PolicyDocument.Statement).filter(({ Action }) =>
      Action.some((action) => action.startsWith('sts:')),
    );
  };

  it('brokerAudience: a function may get tokens for this audience only, as short and as signed as it asks for', () => {
    expect(statementsOf('rabbitmq')).toEqual([
      {
        Effect: 'Allow',
        Action: ['sts:GetWebIdentityToken'],
        Resource: '*',
        Condition: {
          'ForAllValues:StringEquals': { 'sts:IdentityTokenAudience': 'rabbitmq' },
          NumericLessThanEquals: { 'sts:DurationSeconds': 900 },
          StringEquals: { 'sts:SigningAlgorithm': 'RS256' },
        },
      },
    ]);
    expect(statementsOf('')).toEqual([]);
  });
});

describe('a login at RDS by IAM', () => {
  const rightsOf = (key: string, login: string) => {
    const service = readYml();
    const { Properties } = roleOf({
      functionName: key,
      logGroup: 'LogGroup',
      environment: {},
      brokers: [],
      calls: [],
      databaseLogin: withGroup(service, key, { variable: 'databaseLogin', text: login }),
      secretsKey: '',
      traced: false,
    });
    const { Policies } = Properties as {
      Policies: { PolicyDocument: { Statement: { Action: string[]; Resource: unknown }[] } }[];
    };
    return Policies.flatMap(({ PolicyDocument }) => PolicyDocument.Statement)
      .filter(({ Action }) => Action.includes('rds-db:connect'))
      .map(({ Resource }) => Resource);
  };

  it('databaseLogin: a function may connect as exactly this user, or as that of its group', () => {
    const arn = (user: string) => ({
      'Fn::Sub': `arn:\${AWS::Partition}:rds-db:\${AWS::Region}:\${AWS::AccountId}:dbuser:db-ABC/${user}`,
    });
    expect(rightsOf('get-picture', 'db-ABC/functions')).toEqual([arn('functions')]);
    expect(rightsOf('resize-picture', 'db-ABC/{group}')).toEqual([arn('resize')]);
    expect(rightsOf('get-picture', '')).toEqual([]);
  });

  it.each(['functions', 'arn:aws:rds-db:eu-west-1:1:dbuser:db-ABC/functions', 'db-ABC/*'])(
    'databaseLogin: %s is refused',
    (login) => {
      const result = settings.shape.database.shape.login.safeParse(login);
      expect(result.error?.issues[0]?.message).toContain('databaseLogin: expected a resource id and a user');
    },
  );
});
