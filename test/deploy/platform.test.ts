import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { projectFile } from '../../dev/stack/project.ts';
import {
  checkPlatformTypes,
  installPlatform,
  type NagReport,
  outputsOf,
  platformRequire,
  synthesizePlatform,
} from '../support/deploy/platform.ts';
import {
  packageInto,
  type Resource,
  readTemplate,
  resourcesOf,
  type Template,
  variablesOf,
} from '../support/deploy/serverless.ts';

interface Assertions {
  Template: { fromJSON(template: unknown): Asserted };
  Match: { objectLike(value: object): object; anyValue(): object; stringLikeRegexp(pattern: string): object };
}
interface Asserted {
  hasResourceProperties(type: string, properties: object): void;
  resourceCountIs(type: string, count: number): void;
  allResourcesProperties(type: string, properties: object): void;
}

/** Installing and packaging take a minute each, and several on a busy machine. */
const setupMs = 900_000;

let folder: string;
let dev: Template;
let prod: Template;
let report: NagReport;
let assertions: Assertions;
let outputs: Record<string, string>;
let packaged: Template;

beforeAll(async () => {
  await installPlatform();
  await mkdir(projectFile('.data'), { recursive: true });
  folder = await mkdtemp(projectFile('.data/platform-'));
  ({ dev, prod, report } = await synthesizePlatform(join(folder, 'cdk.out')));
  assertions = platformRequire('aws-cdk-lib/assertions') as Assertions;
}, setupMs);
afterAll(() => rm(folder, { recursive: true, force: true }));

const of = (template: Template) => assertions.Template.fromJSON(template);
const both = () => [dev, prod];
const named = (template: Template, type: string, key: string) =>
  resourcesOf(template, type).map(([, { Properties }]) => String(Properties[key]));

describe('the platform of a stage', () => {
  it('platform: its types are right', () => checkPlatformTypes());

  it('platform: cdk-nag finds nothing in either form that is not explained', () => {
    const [nag] = report.pluginReports.filter(({ pluginName }) => pluginName === 'AwsSolutions');
    expect(nag?.conclusion).toBe('success');
    for (const { ruleName, reason } of nag?.suppressedViolations ?? []) {
      expect(reason, ruleName).toMatch(/^[A-Z].{30,}\.$/);
    }
    const paths = (rule: string) =>
      nag?.suppressedViolations
        .filter(({ ruleName }) => ruleName === rule)
        .flatMap(({ violatingConstructs }) => violatingConstructs.map(({ constructPath }) => constructPath));
    expect(paths('AwsSolutions-RDS3')).toEqual(['warren-platform-dev/Platform/Database/Instance/Resource']);
    expect(new Set(nag?.suppressedViolations.map(({ ruleName }) => ruleName.replace(/\[.*/, '')))).toEqual(
      new Set(['AwsSolutions-SMG4', 'AwsSolutions-RDS3', 'AwsSolutions-RDS11', 'AwsSolutions-IAM5']),
    );
  });

  it.each(['dev', 'prod'])('platform: the template of %s passes cfn-lint', async (stage) => {
    const file = join(folder, 'cdk.out', `warren-platform-${stage}.template.json`);
    const lint = 'from cfnlint.runner import main; main()';
    await promisify(execFile)(inject('python'), ['-c', lint, '--template', file]);
  });

  it('platform: the small form has one of each, the form for production survives a zone', () => {
    of(dev).hasResourceProperties('AWS::AmazonMQ::Broker', {
      DeploymentMode: 'SINGLE_INSTANCE',
      HostInstanceType: 'mq.m7g.medium',
    });
    of(prod).hasResourceProperties('AWS::AmazonMQ::Broker', {
      DeploymentMode: 'CLUSTER_MULTI_AZ',
      HostInstanceType: 'mq.m7g.large',
    });
    for (const [template, zones, gateways, multiAz] of [
      [dev, 2, 1, false],
      [prod, 3, 3, true],
    ] as const) {
      of(template).resourceCountIs('AWS::EC2::NatGateway', gateways);
      of(template).resourceCountIs('AWS::EC2::Subnet', 4 * zones);
      of(template).hasResourceProperties('AWS::RDS::DBInstance', { MultiAZ: multiAz });
      const [[, broker] = []] = resourcesOf(template, 'AWS::AmazonMQ::Broker');
      // One instance takes exactly one subnet, and a private cluster one for each zone.
      expect(broker?.Properties['SubnetIds']).toHaveLength(multiAz ? zones : 1);
    }
  });

  it('platform: the broker is private, on RabbitMQ 4, and logs', () => {
    for (const template of both()) {
      of(template).allResourcesProperties('AWS::AmazonMQ::Broker', {
        EngineType: 'RABBITMQ',
        EngineVersion: '4.2',
        AutoMinorVersionUpgrade: true,
        PubliclyAccessible: false,
        Logs: { General: true },
        MaintenanceWindowStartTime: assertions.Match.anyValue(),
      });
      expect(named(template, 'AWS::AmazonMQ::Broker', 'HostInstanceType').join()).toMatch(/^mq\.m7g\./);
    }
  });

  it('platform: the database is private, encrypted, backed up, protected, and takes logins by IAM over TLS', () => {
    for (const template of both()) {
      of(template).allResourcesProperties('AWS::RDS::DBInstance', {
        Engine: 'postgres',
        EngineVersion: '17',
        PubliclyAccessible: false,
        StorageEncrypted: true,
        KmsKeyId: assertions.Match.anyValue(),
        EnableIAMDatabaseAuthentication: true,
        BackupRetentionPeriod: 14,
        DeletionProtection: true,
      });
      const [[, instance] = []] = resourcesOf(template, 'AWS::RDS::DBInstance');
      expect(instance).toMatchObject({ DeletionPolicy: 'Snapshot', UpdateReplacePolicy: 'Snapshot' });
      of(template).hasResourceProperties('AWS::RDS::DBParameterGroup', {
        Parameters: assertions.Match.objectLike({ 'rds.force_ssl': '1' }),
      });
    }
  });

  it('platform: only functions reach broker and database, and nothing but their ports', () => {
    for (const template of both()) {
      const open = resourcesOf(template, 'AWS::EC2::SecurityGroup');
      // No rule lets an address in: all of them name a group.
      for (const [id, { Properties }] of open) expect(Properties['SecurityGroupIngress'], id).toBeUndefined();
      const part = (value: unknown) => /Network(Functions|Broker|Database)/.exec(JSON.stringify(value))?.[1];
      const rules = resourcesOf(template, 'AWS::EC2::SecurityGroupIngress').map(
        ([, { Properties: rule }]) => {
          const { SourceSecurityGroupId: from, GroupId: to, FromPort, ToPort } = rule;
          expect(FromPort).toBe(ToPort);
          return `${part(from)} -> ${part(to)}:${String(FromPort)}`;
        },
      );
      expect(rules.sort()).toEqual([
        'Broker -> Broker:5671',
        'Functions -> Broker:443',
        'Functions -> Broker:5671',
        'Functions -> Database:5432',
      ]);
      const out = open.flatMap(([, { Properties }]) => {
        const ports = ((Properties['SecurityGroupEgress'] ?? []) as { FromPort: number; CidrIp: string }[])
          .filter(({ CidrIp }) => CidrIp === '0.0.0.0/0')
          .map(({ FromPort }) => FromPort);
        return ports.map((port) => `${String(Properties['GroupDescription']).split(' ')[0]}:${port}`);
      });
      expect(out.sort()).toEqual(['Broker:443', 'Functions:443', 'Functions:465']);
    }
  });

  it('platform: the mail domain is signed, has its bounces in its own domain, and its records where there is a zone', () => {
    for (const template of both()) {
      of(template).hasResourceProperties('AWS::SES::EmailIdentity', {
        MailFromAttributes: { MailFromDomain: assertions.Match.stringLikeRegexp('^bounces\\.') },
        ConfigurationSetAttributes: assertions.Match.anyValue(),
      });
      of(template).hasResourceProperties('AWS::SES::ConfigurationSet', {
        DeliveryOptions: { TlsPolicy: 'REQUIRE' },
        SuppressionOptions: { SuppressedReasons: ['BOUNCE', 'COMPLAINT'] },
      });
    }
    of(prod).resourceCountIs('AWS::Route53::RecordSet', 6);
    of(dev).resourceCountIs('AWS::Route53::RecordSet', 0);
    const records = Object.keys(dev.Outputs).filter((name) => name.startsWith('record'));
    expect(records).toHaveLength(6);
  });

  it('platform: no template holds the value of a secret', () => {
    for (const template of both()) {
      const secrets = resourcesOf(template, 'AWS::SecretsManager::Secret');
      expect(secrets.length).toBeGreaterThan(20);
      for (const [id, { Properties }] of secrets) {
        expect(Properties['KmsKeyId'], id).toBeDefined();
        const text = JSON.stringify(Properties['SecretString'] ?? '');
        // Between a login's name and its host stands only what CloudFormation fills in.
        expect(text, id).toMatch(
          /^""$|:\/\/[\w-]+:\{\{resolve:secretsmanager:.*:SecretString:password::\}\}@|"Fn::GetAtt":\[\w+,?\\?"SecretAccessKey|SecretAccessKey/,
        );
      }
      const passwords = [
        ...resourcesOf(template, 'AWS::AmazonMQ::Broker').map(([, each]) => each.Properties['Users']),
        ...resourcesOf(template, 'AWS::RDS::DBInstance').map(
          ([, each]) => each.Properties['MasterUserPassword'],
        ),
      ];
      for (const each of passwords) expect(JSON.stringify(each)).toContain('{{resolve:secretsmanager:');
      // CloudFormation takes 60 of them in a template.
      const references = JSON.stringify(template).match(/\{\{resolve:/g) ?? [];
      expect(references.length).toBeLessThan(60);
      for (const url of resourcesOf(template, 'AWS::SSM::Parameter')) {
        expect(JSON.stringify(url)).not.toContain('resolve:secretsmanager');
      }
    }
  });
});

describe('a deployment on a platform', () => {
  beforeAll(async () => {
    outputs = outputsOf(prod);
    // As `cdk deploy --outputs-file` writes it.
    await writeFile(join(folder, 'outputs.prod.json'), JSON.stringify({ 'warren-platform-prod': outputs }));
    await packageInto(join(folder, 'package'), {}, { WARREN_PLATFORM: folder });
    packaged = await readTemplate(join(folder, 'package'));
  }, setupMs);

  it('platform: every output but a record for DNS is a parameter of serverless.yml', async () => {
    const text = await readFile(projectFile('serverless.yml'), 'utf8');
    for (const template of both()) {
      const names = Object.keys(template.Outputs).filter((name) => !/^record\d$/.test(name));
      expect(names.filter((name) => !text.includes(`\${param:${name},`))).toEqual([]);
    }
  });

  it('platform: functions are in its network, and read their secrets with its key', () => {
    const functions = resourcesOf(packaged, 'AWS::Lambda::Function').map(([, { Properties }]) => Properties);
    expect(functions.length).toBeGreaterThan(30);
    for (const each of functions) {
      expect(each['VpcConfig'], String(each['FunctionName'])).toEqual({
        SubnetIds: String(outputs['subnets']).split(','),
        SecurityGroupIds: [outputs['securityGroups']],
      });
    }
    expect(String(outputs['subnets']).split(',')).toHaveLength(3);
    const mappings = resourcesOf(packaged, 'AWS::Lambda::EventSourceMapping').map(
      ([, each]) => each.Properties,
    );
    expect(mappings.length).toBeGreaterThan(8);
    for (const each of mappings) {
      expect(each).toMatchObject({
        EventSourceArn: outputs['brokerArn'],
        SourceAccessConfigurations: [{ Type: 'BASIC_AUTH', URI: outputs['brokerSecretArn'] }],
      });
    }
    const actions = (key: string) => JSON.stringify(packaged.Resources[`${key}Role`]);
    expect(actions('EmailDashalert')).toContain(outputs['secretsKeyArn']);
    expect(actions('EmailDashalert')).toContain(
      `dbuser:${outputs['databaseLogin']?.replace('{group}', 'alerts')}`,
    );
  });

  it('platform: every secret that a function names is one of it, and each of its logins is read', () => {
    const secrets = named(prod, 'AWS::SecretsManager::Secret', 'Name').map(
      (name) => `secretsmanager:${name}`,
    );
    const parameters = named(prod, 'AWS::SSM::Parameter', 'Name').map((name) => `ssm:${name}`);
    const wanted = resourcesOf(packaged, 'AWS::Lambda::Function').flatMap(([, { Properties }]) => {
      const { Variables } = Properties['Environment'] as { Variables: Record<string, unknown> };
      return Object.values(Variables).filter((value): value is string => {
        return typeof value === 'string' && /^(ssm|secretsmanager):/.test(value);
      });
    });
    const own = wanted.filter((each) => !each.includes(':arn:'));
    expect([...new Set(own)].filter((each) => ![...secrets, ...parameters].includes(each))).toEqual([]);
    const unread = [...secrets, ...parameters].filter((each) => !own.includes(each));
    // The passwords themselves are read by CloudFormation only, and that of the mappings by its ARN.
    expect(unread.filter((each) => !/\/(broker\/|admin\/(broker|database|smtp-key)$)/.test(each))).toEqual(
      [],
    );
    const arns = wanted.filter((each) => each.includes(':arn:'));
    expect([...new Set(arns)].sort()).toEqual(
      ['password', 'username'].map((member) => `secretsmanager:${outputs['brokerSecretArn']}#${member}`),
    );
  });

  it('platform: its prepare function creates the users of the mappings and of the long poll', () => {
    const { AWS_USERS, ...variables } = variablesOf(packaged, 'prepare');
    const users = JSON.parse(String(AWS_USERS)) as Record<
      string,
      { consumes: string[]; functions: string[] }
    >;
    const mapped = resourcesOf(packaged, 'AWS::Lambda::EventSourceMapping').map(
      ([, { Properties }]) => (Properties['Queues'] as string[])[0],
    );
    expect(users['aws-mapping']?.consumes.sort()).toEqual(mapped.sort());
    expect(users['adapter']?.functions.sort()).toEqual(['notify-walker', 'text-walker']);
    expect(variables).toMatchObject({
      ADMIN_DATABASE_URL: 'secretsmanager:warren/prod/admin/database-url',
      LOGIN_DATABASE_RESIZE: 'ssm:/warren/prod/database-url-resize',
      LOGIN_AMQP_ADAPTER: 'secretsmanager:warren/prod/amqp-url-adapter',
    });
  });

  it('platform: the domain has its certificate, and its record in the zone', () => {
    const [[, record] = []] = resourcesOf(packaged, 'AWS::Route53::RecordSet');
    expect(record?.Properties).toMatchObject({
      HostedZoneId: outputs['hostedZone'],
      Name: 'warren.example.com',
      Type: 'A',
      AliasTarget: { DNSName: { 'Fn::GetAtt': ['HttpApiDomain', 'RegionalDomainName'] } },
    });
    const alarms = resourcesOf(packaged, 'AWS::CloudWatch::Alarm').map(([, each]: [string, Resource]) => {
      return String(each.Properties['AlarmName']);
    });
    expect(alarms).toEqual(
      expect.arrayContaining(
        ['broker-memory', 'database-storage', 'mail-bounces'].map((each) => `warren-prod-${each}`),
      ),
    );
  });

  it('platform: the deployment on it passes cfn-lint', async () => {
    const file = join(folder, 'package', 'cloudformation-template-update-stack.json');
    const lint = 'from cfnlint.runner import main; main()';
    await promisify(execFile)(inject('python'), ['-c', lint, '--template', file]);
  });
});
