import { describe, expect, inject, it } from 'vitest';
import { compileTopology } from '../../runtime/topology/compile.ts';
import { readSection } from '../../runtime/topology/schema.ts';
import {
  readService,
  readTemplate,
  resourcesOf,
  type Template,
  variablesOf,
} from '../support/deploy/serverless.ts';

interface Statement {
  Effect: string;
  Action: string[];
  Resource: unknown;
  Condition?: unknown;
}

const packages = inject('packages');
const templates = {
  mq: await readTemplate(packages.amazonMq.folder),
  adapter: await readTemplate(packages.adapter.folder),
  worker: await readTemplate(packages.worker.folder),
};
const service = await readService();
/** Queues that the long poll feeds beside AWS's mappings. */
const polled = compileTopology(readSection(service.custom.warren)).polled ?? [];

/**
 * Actions for which AWS knows no resource smaller than all (Service Authorization Reference), and those that Lambda checks without a
 * resource when it creates a function in a VPC: with `network-interface/*`, it refuses the role.
 */
const unnamed = new Set([
  'ec2:DeleteNetworkInterface',
  'ec2:AssignPrivateIpAddresses',
  'ec2:UnassignPrivateIpAddresses',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeVpcs',
  'ec2:DescribeSubnets',
  'ec2:DescribeSecurityGroups',
  'xray:PutTraceSegments',
  'xray:PutTelemetryRecords',
  'cloudwatch:DescribeAlarms',
]);

/**
 * Names with an end that is unknown at deployment: keys of objects under a prefix, what AWS adds to a secret's name, the ids of
 * network interfaces that are yet to be made.
 */
const openEnds = [
  /^\$\{PicturesBucket\.Arn\}\/(originals|pictures)\/\*$/,
  /:secret:[\w/+=.@-]+-\?{6}$/,
  /:ec2:\$\{AWS::Region\}:\$\{AWS::AccountId\}:network-interface\/\*$/,
];
/** Nor does a mapping specify the subnets of the broker that it uses. */
const brokersNetwork = /:ec2:\$\{AWS::Region\}:\$\{AWS::AccountId\}:(subnet|security-group)\/\*$/;

const networkActions = [
  'ec2:CreateNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:DeleteNetworkInterface',
  'ec2:AssignPrivateIpAddresses',
  'ec2:UnassignPrivateIpAddresses',
];

const text = (resource: unknown) =>
  String((resource as { 'Fn::Sub'?: string } | undefined)?.['Fn::Sub'] ?? JSON.stringify(resource));

function statementsOf(template: Template): [string, Statement][] {
  return resourcesOf(template, 'AWS::IAM::Role').flatMap(([id, { Properties }]) => {
    const policies = Properties['Policies'] as { PolicyDocument: { Statement: Statement[] } }[];
    return policies.flatMap(({ PolicyDocument }) =>
      PolicyDocument.Statement.map((each) => [id, each] as const),
    );
  }) as [string, Statement][];
}

/** What a template allows with a wildcard instead of a name. */
function openRights(template: Template): string[] {
  const statements = statementsOf(template).filter(([, { Effect }]) => Effect === 'Allow');
  const mapped = new Set(
    statements.filter(([, { Action }]) => Action.includes('mq:DescribeBroker')).map(([id]) => id),
  );
  return statements.flatMap(([id, { Action, Resource }]) =>
    Action.flatMap((action) =>
      [Resource].flat().flatMap((each) => {
        const ends = mapped.has(id) ? [...openEnds, brokersNetwork] : openEnds;
        const named = !/[*?]/.test(text(each)) || ends.some((end) => end.test(text(each)));
        const fine = /^[a-z0-9]+:[A-Za-z]+$/.test(action) && (named || unnamed.has(action));
        return fine ? [] : [`${id}: ${action} on ${text(each)}`];
      }),
    ),
  );
}

const roleId = (key: string) =>
  `${key.replace(/^./, (first) => first.toUpperCase()).replaceAll('-', 'Dash')}Role`;

/** What a function's role allows: the action, and on what; what all have left out. */
function rightsOf(template: Template, key: string): string[] {
  const shared = [
    ...unnamed,
    'logs:CreateLogStream',
    'logs:PutLogEvents',
    'mq:DescribeBroker',
    'ec2:CreateNetworkInterface',
  ];
  return statementsOf(template)
    .filter(([id, { Effect }]) => id === roleId(key) && Effect === 'Allow')
    .flatMap(([, { Action, Resource, Condition }]) =>
      Action.filter((action) => !shared.includes(action)).flatMap((action) =>
        [Resource].flat().map((each) => {
          const short = text(each)
            .replace(/^.*:(parameter|function|secret)/, '$1')
            .replace(/"/g, '');
          return `${action} ${short}${Condition ? ` ${JSON.stringify(Condition)}` : ''}`;
        }),
      ),
    );
}

/** The condition that a request comes from the code of the function with this role. */
function ownCodeOf(template: Template, role: string) {
  const name = resourcesOf(template, 'AWS::Lambda::Function').flatMap(([, { Properties }]) => {
    const { Role, FunctionName } = Properties as { Role: { 'Fn::GetAtt': string[] }; FunctionName: string };
    return Role['Fn::GetAtt'][0] === role ? FunctionName : [];
  });
  const own = ['', ':*'].map((qualifier) => ({
    'Fn::Sub': `arn:\${AWS::Partition}:lambda:\${AWS::Region}:\${AWS::AccountId}:function:${name}${qualifier}`,
  }));
  return { ArnEquals: { 'lambda:SourceFunctionArn': own } };
}

describe.each(Object.entries(templates))('the roles of the functions, %s', (_, template) => {
  it('are one for each, and no other', () => {
    const functions = resourcesOf(template, 'AWS::Lambda::Function').map(([, { Properties }]) => Properties);
    // That of CodeDeploy is no function's.
    const roles = resourcesOf(template, 'AWS::IAM::Role').flatMap(([id]) => (id === 'ReleaseRole' ? [] : id));
    const used = functions.map(({ Role }) => (Role as { 'Fn::GetAtt': string[] })['Fn::GetAtt'][0]);
    expect(used.sort()).toEqual(roles.sort());
    expect(new Set(used).size).toBe(functions.length);
  });

  it('name every action, and every resource that can be named', () => {
    expect(openRights(template)).toEqual([]);
  });

  it('deny the code of a function what Lambda does for its network', () => {
    const denied = statementsOf(template).filter(([, { Effect, Action }]) => {
      return Effect !== 'Allow' && Action.some((action) => action.startsWith('ec2:'));
    });
    const networked = statementsOf(template).filter(([, { Effect, Action }]) => {
      return Effect === 'Allow' && Action.some((action) => action.startsWith('ec2:'));
    });
    expect(denied.map(([id]) => id).sort()).toEqual([...new Set(networked.map(([id]) => id))].sort());
    for (const [id, { Effect, Action, Resource, Condition }] of denied) {
      expect([Effect, Resource]).toEqual(['Deny', '*']);
      expect(Action).toEqual(expect.arrayContaining(networkActions));
      expect(Condition).toEqual(ownCodeOf(template, id));
    }
  });

  it("deny the code of a function what Lambda does for its mappings, such as to read the mappings' login", () => {
    const all = statementsOf(template);
    const mapped = resourcesOf(template, 'AWS::Lambda::EventSourceMapping').map(([, { Properties }]) => {
      const { URI } = (Properties['SourceAccessConfigurations'] as { Type: string; URI: unknown }[]).find(
        ({ Type }) => Type === 'BASIC_AUTH',
      ) as { URI: unknown };
      return { name: text(Properties['FunctionName']), login: URI };
    });
    const denied = all.filter(([, { Effect, Action }]) => {
      return Effect === 'Deny' && Action.includes('secretsmanager:GetSecretValue');
    });
    const readers = all.filter(
      ([, { Effect, Action }]) => Effect === 'Allow' && Action.includes('mq:DescribeBroker'),
    );
    expect(denied.map(([id]) => id).sort()).toEqual(readers.map(([id]) => id).sort());
    for (const [id, { Action, Resource, Condition }] of denied) {
      expect(Action).toEqual(['secretsmanager:GetSecretValue']);
      expect([Resource].flat()).toEqual([...new Set(mapped.map(({ login }) => login))]);
      expect(Condition).toEqual(ownCodeOf(template, id));
    }
  });

  it('of functions with a network allow what Lambda checks without a resource when it creates them', () => {
    const functions = resourcesOf(template, 'AWS::Lambda::Function').filter(
      ([, { Properties }]) => Properties['VpcConfig'],
    );
    for (const [, { Properties }] of functions) {
      const role = (Properties['Role'] as { 'Fn::GetAtt': string[] })['Fn::GetAtt'][0];
      const everywhere = statementsOf(template).flatMap(([id, { Effect, Action, Resource }]) => {
        return id === role && Effect === 'Allow' && Resource === '*' ? Action : [];
      });
      expect(everywhere).toEqual(expect.arrayContaining(networkActions.slice(1)));
    }
  });

  it.each([
    ['Action', '*'],
    ['Action', 's3:*'],
    ['Action', 's3:Get*'],
    ['Resource', '*'],
    ['Resource', { 'Fn::Sub': `\${PicturesBucket.Arn}/*` }],
    ['Resource', { 'Fn::Join': ['', ['arn:aws:s3:::', '*']] }],
  ])('are found out with the %s %j in one of them', (part, wildcard) => {
    const broken = structuredClone(template);
    const [, statement] =
      statementsOf(broken).find(([, { Action }]) => Action.includes('s3:GetObject')) ?? [];
    Object.assign(statement ?? {}, { [part]: part === 'Action' ? [wildcard] : wildcard });
    expect(openRights(broken)).toHaveLength(1);
  });

  it('are nothing that AWS manages: those allow all log groups', () => {
    for (const [id, { Properties }] of resourcesOf(template, 'AWS::IAM::Role')) {
      expect(Properties['ManagedPolicyArns'], id).toBeUndefined();
    }
  });

  it('let a function write to its own log group only', () => {
    for (const [id, { Action, Resource }] of statementsOf(template)) {
      if (!Action.includes('logs:PutLogEvents')) continue;
      expect(Resource).toEqual({ 'Fn::GetAtt': [id.replace(/Role$/, 'LogGroup'), 'Arn'] });
    }
  });

  it('let a function read the secrets that its variables name, and no others', () => {
    for (const [, { Properties }] of resourcesOf(template, 'AWS::Lambda::Function')) {
      const key = String(Properties['FunctionName']).replace('warren-prod-', '');
      const { Variables } = Properties['Environment'] as { Variables: Record<string, unknown> };
      const named = Object.values(Variables).flatMap((value) => {
        return /^ssm:(.+)$/.exec(String(value))?.[1] ?? [];
      });
      const readable = rightsOf(template, key).flatMap((right) => {
        return /^ssm:GetParameters parameter(.+)$/.exec(right)?.[1] ?? [];
      });
      expect(readable.sort(), key).toEqual([...new Set(named)].sort());
    }
  });
});

describe('the role of CodeDeploy', () => {
  it('release: CodeDeploy may move the aliases of the deployed functions, and nothing else', () => {
    const rights = statementsOf(templates.worker).filter(([id]) => id === 'ReleaseRole');
    const arns = resourcesOf(templates.worker, 'AWS::Lambda::Function').flatMap(([, { Properties }]) => {
      const name = String(Properties['FunctionName']);
      return [name, `${name}:live`];
    });
    expect(rights.map(([, { Effect, Action }]) => [Effect, ...Action])).toEqual([
      ['Allow', 'lambda:GetAlias', 'lambda:UpdateAlias', 'lambda:GetProvisionedConcurrencyConfig'],
      ['Allow', 'cloudwatch:DescribeAlarms'],
    ]);
    const named = [rights[0]?.[1].Resource].flat().map((each) => text(each).replace(/^.*:function:/, ''));
    expect(named.sort()).toEqual(arns.sort());
    // Lambda refuses a role with more than 10,240 characters of inline policies.
    const policies = templates.worker.Resources['ReleaseRole']?.Properties['Policies'];
    const filled = JSON.stringify(policies)
      .replaceAll(`\${AWS::Partition}`, 'aws-us-gov')
      .replaceAll(`\${AWS::Region}`, 'us-gov-east-1')
      .replaceAll(`\${AWS::AccountId}`, '123456789012');
    expect(filled.length).toBeLessThan(10_240);
    expect(templates.mq.Resources).not.toHaveProperty('ReleaseRole');
  });
});

describe('a function', () => {
  it('may do with the bucket exactly what serverless.yml allows', () => {
    for (const [key, { bucket = {} }] of Object.entries(service.functions)) {
      const rights = rightsOf(templates.adapter, key).filter((right) => right.startsWith('s3:'));
      const said = Object.entries(bucket).flatMap(([action, keys]) => {
        if (action !== 'ListBucket') {
          return [keys].flat().map((each) => `s3:${action} \${PicturesBucket.Arn}/${each}`);
        }
        const condition = keys === '*' ? '' : ` {"StringLike":{"s3:prefix":["${keys}"]}}`;
        return [`s3:ListBucket {Fn::GetAtt:[PicturesBucket,Arn]}${condition}`];
      });
      expect(rights.sort(), key).toEqual(said.sort());
    }
  });

  it('that makes renditions reads originals, writes renditions, and reaches database and broker', () => {
    expect(rightsOf(templates.mq, 'resize-picture').sort()).toEqual([
      `s3:DeleteObject \${PicturesBucket.Arn}/pictures/*`,
      `s3:GetObject \${PicturesBucket.Arn}/originals/*`,
      's3:ListBucket {Fn::GetAtt:[PicturesBucket,Arn]}',
      `s3:PutObject \${PicturesBucket.Arn}/pictures/*`,
      'secretsmanager:GetSecretValue secret:warren-broker-000000',
      'ssm:GetParameters parameter/warren/prod/amqp-url',
      'ssm:GetParameters parameter/warren/prod/database-url',
    ]);
  });

  it('that answers a ping reaches the broker', () => {
    expect(rightsOf(templates.adapter, 'ping')).toEqual(['ssm:GetParameters parameter/warren/prod/amqp-url']);
  });

  it.each(['mq', 'adapter'] as const)('that polls calls exactly the functions it feeds (%s)', (source) => {
    const template = templates[source];
    const text = variablesOf(template, 'poll-queues')['WARREN_MAPPINGS'];
    const fed = JSON.parse(String(text)) as { invokeAs: string }[];
    const called = rightsOf(template, 'poll-queues').flatMap((right) => {
      return /^lambda:InvokeFunction function:(.+)$/.exec(right)?.[1] ?? [];
    });
    expect(called.sort()).toEqual([...new Set(fed.map(({ invokeAs }) => invokeAs))].sort());
    for (const key of Object.keys(service.functions)) {
      if (key !== 'poll-queues') expect(rightsOf(template, key).join()).not.toContain('lambda:');
    }
  });

  it('that a mapping feeds has what osls would give to a shared role only: broker, login, network', () => {
    for (const [key, { events }] of Object.entries(service.functions)) {
      const actions = statementsOf(templates.mq)
        .filter(([id, { Effect }]) => id === roleId(key) && Effect === 'Allow')
        .flatMap(([, { Action }]) => Action);
      const fed = events.some(({ rabbitmq }) => rabbitmq && !polled.includes(rabbitmq.queue));
      expect(actions.includes('mq:DescribeBroker'), key).toBe(fed);
      expect(actions.includes('ec2:DescribeSecurityGroups'), key).toBe(fed);
      expect(actions.includes('secretsmanager:GetSecretValue'), key).toBe(fed);
    }
  });

  it('that no mapping feeds makes network interfaces in the subnets of the deployment only', () => {
    const [, { Resource } = { Resource: [] }] =
      statementsOf(templates.mq).find(([id, { Effect, Action }]) => {
        const created = Effect === 'Allow' && Action.includes('ec2:CreateNetworkInterface');
        return id === roleId('raise-alert') && created;
      }) ?? [];
    expect([Resource].flat().map((each) => text(each).replace(/^.*:/, ''))).toEqual([
      'network-interface/*',
      'subnet/subnet-0123456789abcdef0',
      'subnet/subnet-0123456789abcdef1',
      'security-group/sg-0123456789abcdef0',
    ]);
    const outside = statementsOf(templates.adapter).flatMap(([, { Action }]) => Action);
    expect(outside.filter((action) => action.startsWith('ec2:'))).toEqual([]);
  });
});
