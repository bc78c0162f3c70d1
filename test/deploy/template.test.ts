import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, inject, it } from 'vitest';
import { compileTopology } from '../../runtime/topology/compile.ts';
import { readSection } from '../../runtime/topology/schema.ts';
import {
  localSecret,
  packageInto,
  type Resource,
  readService,
  readTemplate,
  resourcesOf,
  type Template,
  variablesOf,
} from '../support/deploy/serverless.ts';

const packages = inject('packages');
const templates = {
  mq: await readTemplate(packages.amazonMq.folder),
  adapter: await readTemplate(packages.adapter.folder),
  worker: await readTemplate(packages.worker.folder),
};
const service = await readService();
const all = Object.entries(templates);
const fedByQueue = Object.values(service.functions).flatMap(({ events }) => {
  return events.flatMap(({ rabbitmq }) => rabbitmq ?? []);
});

/** Queues that the long poll feeds beside AWS's mappings. */
const polled = compileTopology(readSection(service.custom.warren)).polled ?? [];

const properties = (template: Template, type: string) =>
  resourcesOf(template, type).map(([, resource]) => resource.Properties);
const functionsOf = (template: Template) => properties(template, 'AWS::Lambda::Function');
const keyOf = ({ FunctionName }: Record<string, unknown>) => String(FunctionName).replace('warren-prod-', '');
const alarmsOf = (template: Template) =>
  new Map(properties(template, 'AWS::CloudWatch::Alarm').map((alarm) => [alarm['AlarmName'], alarm]));

/** What moto can't hold, and the rest of what is in the template: the HTTP API, the mappings, the network. */
describe('the compiled template', () => {
  it.each(Object.values(packages))('passes cfn-lint without an error or a warning: $params', async (each) => {
    const file = join(each.folder, 'cloudformation-template-update-stack.json');
    const lint = 'from cfnlint.runner import main; main()';
    await promisify(execFile)(inject('python'), ['-c', lint, '--template', file]);
  });

  it('has a mapping for each queue that feeds a function and is not polled, with its batch size and login', () => {
    const mappings = resourcesOf(templates.mq, 'AWS::Lambda::EventSourceMapping').map(([, each]) => each);
    const batches = mappings.map(({ Properties: { Queues, BatchSize } }) => [
      (Queues as string[])[0],
      BatchSize,
    ]);
    expect(Object.fromEntries(batches)).toEqual(
      Object.fromEntries(
        fedByQueue
          .filter(({ queue }) => !polled.includes(queue))
          .map(({ queue, batchSize }) => [queue, batchSize]),
      ),
    );
    for (const { Properties } of mappings) {
      expect(Properties).toMatchObject({
        EventSourceArn: expect.stringMatching(/^arn:aws:mq:/),
        SourceAccessConfigurations: [{ Type: 'BASIC_AUTH', URI: expect.stringMatching(/^arn:aws:secretsm/) }],
      });
    }
  });

  it('has a route for each HTTP event', () => {
    const wanted = Object.values(service.functions).flatMap(({ events }) =>
      events.flatMap(({ httpApi }) => httpApi ?? []),
    );
    const routes = properties(templates.mq, 'AWS::ApiGatewayV2::Route').map(({ RouteKey }) => RouteKey);
    expect(routes.sort()).toEqual(wanted.sort());
  });

  it('holds no mapping for the adapter, but the function that polls, on its schedule', () => {
    expect(resourcesOf(templates.adapter, 'AWS::Lambda::EventSourceMapping')).toEqual([]);
    const rules = properties(templates.adapter, 'AWS::Events::Rule');
    expect(rules.find(({ Targets }) => JSON.stringify(Targets).includes('PollDashqueues'))).toMatchObject({
      State: 'ENABLED',
      ScheduleExpression: 'rate(5 minutes)',
    });
    const text = variablesOf(templates.adapter, 'poll-queues')['WARREN_MAPPINGS'];
    const fed = JSON.parse(String(text)) as { queue: string; invokeAs: string }[];
    expect(fed.map(({ queue }) => queue)).toContain('resize-picture');
    // Who calls a method does not wait for a schedule.
    expect(fed.map(({ queue }) => queue)).not.toContain('ping');
  });

  it('has a polling function beside mappings for the queues that they cannot feed', () => {
    expect(polled).toEqual(['walker-notices', 'walker-texts']);
    const text = variablesOf(templates.mq, 'poll-queues')['WARREN_MAPPINGS'];
    const fed = JSON.parse(String(text)) as { queue: string }[];
    expect(fed.map(({ queue }) => queue).sort()).toEqual(polled);
    expect(functionsOf(templates.mq).map(keyOf)).toEqual(functionsOf(templates.adapter).map(keyOf));
  });

  it('gives no function more than the 4 KB of variables that Lambda takes', () => {
    for (const [name, template] of all) {
      for (const each of functionsOf(template)) {
        const { Variables } = each['Environment'] as { Variables: Record<string, unknown> };
        // An address that only the stack knows is shorter than what asks for it.
        const texts = Object.entries(Variables).map(
          ([key, value]) => key + (typeof value === 'string' ? value : JSON.stringify(value)),
        );
        const bytes = Buffer.byteLength(texts.join(''));
        expect(bytes, `${name}: ${keyOf(each)}`).toBeLessThan(4096);
      }
    }
  });

  it('lets the long poll call for as long as the longest call takes, beside its schedule', () => {
    const [poll] = functionsOf(templates.adapter).filter((each) => keyOf(each) === 'poll-queues');
    const text = variablesOf(templates.adapter, 'poll-queues')['WARREN_MAPPINGS'];
    const fed = JSON.parse(String(text)) as { timeoutMs: number }[];
    const longest = Math.max(...fed.map(({ timeoutMs }) => timeoutMs));
    expect(poll?.['Timeout']).toBe((5 * 60_000 + longest + 5000) / 1000);
  });

  it('puts every function into the network that it is given, or into none', () => {
    for (const each of functionsOf(templates.mq)) {
      expect(each['VpcConfig'], keyOf(each)).toEqual({
        SecurityGroupIds: ['sg-0123456789abcdef0'],
        SubnetIds: ['subnet-0123456789abcdef0', 'subnet-0123456789abcdef1'],
      });
    }
    for (const each of functionsOf(templates.adapter)) expect(each['VpcConfig'], keyOf(each)).toBeUndefined();
  });

  it('traces if the setting is on', () => {
    for (const each of functionsOf(templates.mq)) expect(each['TracingConfig']).toEqual({ Mode: 'Active' });
    for (const each of functionsOf(templates.adapter)) expect(each['TracingConfig']).toBeUndefined();
  });

  it('names secrets, and holds none', () => {
    const secrets = Object.keys(service.custom.deploy.secrets);
    for (const each of functionsOf(templates.mq)) {
      const { Variables } = each['Environment'] as { Variables: Record<string, unknown> };
      for (const name of secrets) {
        if (!(name in Variables)) continue;
        const expected = `ssm:/warren/prod/${name.toLowerCase().replace('auth_', '').replaceAll('_', '-')}`;
        expect([expected, ''], `${keyOf(each)}: ${name}`).toContain(Variables[name]);
      }
    }
  });

  it.each(Object.values(packages))(
    'has no file beside it with a secret of who packages: $params',
    async (each) => {
      // The CLI uploads serverless-state.json, too: the whole service, with all variables resolved.
      const files = (await readdir(each.folder)).filter((file) => !file.endsWith('.zip'));
      expect(files).toContain('serverless-state.json');
      for (const file of files.filter((name) => name.endsWith('.json'))) {
        expect(await readFile(join(each.folder, file), 'utf8'), file).not.toContain(localSecret);
      }
    },
  );

  it.each([
    [{ amqpUrl: 'amqps://user:pa55word@host' }, /AMQP_URL: expected a reference to the secret, such as ssm:/],
    [{ source: 'rabbit' }, /custom\.warren\.source: expected amazon-mq, adapter or worker, got "rabbit"/],
    [{ jwksUrl: 'https://issuer.example.com/jwks.json' }, /jwksUrl: expected --param=jwtIssuer and/],
    [{ jwtSecret: 'none' }, /jwtSecret=none: expected --param=jwtIssuer and/],
    [
      { publicUrl: 'warren.example.com' },
      /publicUrl: expected an address such as https:.*, got "warren\.example\.com"/,
    ],
    [
      { adminAmqpUrl: 'ssm:/admin' },
      /adminAmqpUrl: expected --param=adminAmqpUrl and --param=adminDatabaseUrl/,
    ],
    [{ canary: 'Slowly' }, /custom\.warren\.release\.shift: expected one of AllAtOnce, .*, got "Slowly"/],
    [{ domain: 'warren.example.com' }, /domain: expected --param=domain and --param=certificateArn together/],
  ])('is not made with %j', async (parameters, problem) => {
    const error = await packageInto('.data/never', parameters).catch((thrown: Error) => thrown.message);
    expect(error).toMatch(problem);
    expect(String(error).split('\n').slice(1).join('\n')).not.toContain('pa55word');
  });

  it('gives no function our signing key if tokens come from an issuer', () => {
    const text = JSON.stringify(templates.worker);
    expect(text).not.toContain('jwt-secret');
    expect(text).toContain('https://issuer.example.com/jwks.json');
  });

  it('uses the address of its HTTP API if no public URL is set', () => {
    const address = { 'Fn::GetAtt': ['HttpApi', 'ApiEndpoint'] };
    expect(templates.worker.Resources['PicturesBucket']?.Properties['CorsConfiguration']).toMatchObject({
      CorsRules: [{ AllowedOrigins: [address] }],
    });
  });

  it('lets the pages of the public URL and of further origins use the bucket and the API', () => {
    const origins = ['https://pictures.example.com', 'https://admin.example.com'];
    expect(templates.adapter.Resources['PicturesBucket']?.Properties['CorsConfiguration']).toMatchObject({
      CorsRules: [{ AllowedOrigins: origins }],
    });
    const [api] = properties(templates.adapter, 'AWS::ApiGatewayV2::Api');
    expect(api).toMatchObject({ CorsConfiguration: { AllowOrigins: ['https://admin.example.com'] } });
    expect(properties(templates.mq, 'AWS::ApiGatewayV2::Api')[0]).not.toHaveProperty('CorsConfiguration');
  });

  it('limits the requests of all routes, and those of routes without a token further', () => {
    for (const [, template] of all) {
      const [stage] = resourcesOf(template, 'AWS::ApiGatewayV2::Stage').map(([, each]) => each);
      expect(stage?.Properties).toMatchObject({
        DefaultRouteSettings: { ThrottlingRateLimit: 100, ThrottlingBurstLimit: 200 },
        RouteSettings: { 'GET /health': { ThrottlingRateLimit: 5, ThrottlingBurstLimit: 10 } },
        AccessLogSettings: { Format: expect.stringContaining('routeKey') },
      });
      // API Gateway refuses settings of a route that it does not have yet.
      const settings = stage?.Properties['RouteSettings'] as Record<string, unknown>;
      const routes = resourcesOf(template, 'AWS::ApiGatewayV2::Route').filter(([, each]) => {
        return Object.hasOwn(settings, String(each.Properties['RouteKey']));
      });
      expect(routes).toHaveLength(Object.keys(settings).length);
      expect(stage?.DependsOn).toEqual(expect.arrayContaining(routes.map(([id]) => id)));
    }
  });

  it('has the tokens of an issuer checked by API Gateway, for each route whose function checks them', () => {
    const [authorizer] = properties(templates.worker, 'AWS::ApiGatewayV2::Authorizer');
    expect(authorizer).toMatchObject({
      AuthorizerType: 'JWT',
      IdentitySource: ['$request.header.Authorization'],
      JwtConfiguration: { Issuer: 'https://issuer.example.com', Audience: ['warren'] },
    });
    const open = properties(templates.worker, 'AWS::ApiGatewayV2::Route')
      .filter(({ AuthorizationType }) => AuthorizationType !== 'JWT')
      .map(({ RouteKey }) => RouteKey);
    expect(open.sort()).toEqual([
      'GET /',
      'GET /health',
      'GET /page/{file}',
      'GET /unsubscribe',
      'POST /unsubscribe',
    ]);
    expect(properties(templates.mq, 'AWS::ApiGatewayV2::Authorizer')).toEqual([]);
  });

  it('has no function that gives a token without credentials', () => {
    for (const [, template] of all) expect(functionsOf(template).map(keyOf)).not.toContain('sign-in');
  });

  it('has a domain of its own with its certificate, if one is set', () => {
    expect(properties(templates.adapter, 'AWS::ApiGatewayV2::DomainName')).toMatchObject([
      { DomainName: 'pictures.example.com', DomainNameConfigurations: [{ SecurityPolicy: 'TLS_1_2' }] },
    ]);
    expect(properties(templates.adapter, 'AWS::ApiGatewayV2::ApiMapping')).toHaveLength(1);
    expect(properties(templates.mq, 'AWS::ApiGatewayV2::DomainName')).toEqual([]);
  });

  it('contains neither mappings nor polls if workers consume, nor the functions that workers run', () => {
    expect(resourcesOf(templates.worker, 'AWS::Lambda::EventSourceMapping')).toEqual([]);
    const called = Object.entries(service.functions).filter(([, { events }]) => {
      return events.some(({ rabbitmq }) => !rabbitmq);
    });
    const keys = called.map(([key]) => key).filter((key) => key !== 'poll-queues');
    expect(functionsOf(templates.worker).map(keyOf)).toEqual([...keys, 'prepare']);
  });

  it('keeps the bucket private, and rid of what never became an object; it outlives the stack', () => {
    for (const [, template] of all) {
      const bucket = template.Resources['PicturesBucket'];
      // A first deployment that fails must not leave it: a bucket with a name of its own would end each later one.
      const kept = { DeletionPolicy: 'RetainExceptOnCreate', UpdateReplacePolicy: 'Retain' };
      expect(bucket).toMatchObject(kept);
      expect(template.Resources['PicturesBucketPolicy']).toMatchObject(kept);
      expect(Object.values(bucket?.Properties['PublicAccessBlockConfiguration'] ?? {})).toEqual(
        ['BlockPublicAcls', 'BlockPublicPolicy', 'IgnorePublicAcls', 'RestrictPublicBuckets'].map(() => true),
      );
      expect(bucket?.Properties['LifecycleConfiguration']).toMatchObject({
        Rules: [{ Status: 'Enabled', AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 } }],
      });
    }
  });

  it('allows access to the bucket only over TLS', () => {
    for (const [, template] of all) {
      const condition = { Bool: { 'aws:SecureTransport': 'false' } };
      expect(template.Resources['PicturesBucketPolicy']?.Properties['PolicyDocument']).toMatchObject({
        Statement: [{ Effect: 'Deny', Principal: '*', Action: 's3:*', Condition: condition }],
      });
    }
  });
});

describe('a release', () => {
  const aliasesOf = (template: Template) => resourcesOf(template, 'AWS::Lambda::Alias');
  const target = (logicalId: string) => ({
    'Fn::Join': [':', [{ 'Fn::GetAtt': [logicalId, 'Arn'] }, 'live']],
  });

  it.each(all)('release: each function has a version and an alias that names it: %s', (_, template) => {
    const functions = resourcesOf(template, 'AWS::Lambda::Function').map(([id]) => id);
    const aliases = aliasesOf(template).map(([, { Properties }]) => Properties);
    expect(aliases.map(({ FunctionName }) => (FunctionName as { Ref: string }).Ref).sort()).toEqual(
      functions.sort(),
    );
    for (const { FunctionName, FunctionVersion, Name } of aliases) {
      const [version = ''] = (FunctionVersion as { 'Fn::GetAtt': string[] })['Fn::GetAtt'];
      expect(Name).toBe('live');
      expect(template.Resources[version]).toMatchObject({
        Type: 'AWS::Lambda::Version',
        DeletionPolicy: 'Retain',
        Properties: { FunctionName },
      });
    }
  });

  it('release: routes, schedules, mappings and their permissions call the alias, and no newest code', () => {
    for (const [name, template] of all) {
      const targets = [
        ...properties(template, 'AWS::ApiGatewayV2::Integration').map(({ IntegrationUri }) => IntegrationUri),
        ...properties(template, 'AWS::Lambda::EventSourceMapping').map(({ FunctionName }) => FunctionName),
        ...properties(template, 'AWS::Lambda::Permission').map(({ FunctionName }) => FunctionName),
        ...properties(template, 'AWS::Events::Rule').flatMap(({ Targets }) =>
          (Targets as { Arn: unknown }[]).map(({ Arn }) => Arn),
        ),
      ];
      const wanted = resourcesOf(template, 'AWS::Lambda::Function').map(([id]) => JSON.stringify(target(id)));
      for (const each of targets) expect(wanted, name).toContain(JSON.stringify(each));
      expect(targets.length).toBeGreaterThan(30);
    }
  });

  it('release: API Gateway may call an alias before a route does', () => {
    for (const [, template] of all) {
      const permissions = new Map(
        resourcesOf(template, 'AWS::Lambda::Permission').map(([id, { Properties }]) => [
          id,
          JSON.stringify(Properties['FunctionName']),
        ]),
      );
      for (const [id, { Properties, DependsOn = [] }] of resourcesOf(
        template,
        'AWS::ApiGatewayV2::Integration',
      )) {
        const first = [DependsOn].flat().map((each) => permissions.get(each));
        expect(first, id).toContain(JSON.stringify(Properties['IntegrationUri']));
      }
    }
  });

  it('release: the long poll calls aliases', () => {
    const text = variablesOf(templates.adapter, 'poll-queues')['WARREN_MAPPINGS'];
    const fed = JSON.parse(String(text)) as { invokeAs: string }[];
    expect(fed.map(({ invokeAs }) => invokeAs)).toContain('warren-prod-resize-picture:live');
    expect(fed.filter(({ invokeAs }) => !invokeAs.endsWith(':live'))).toEqual([]);
  });

  it('release: with a canary, CodeDeploy shifts each alias, and returns at the first failed call of the new version', () => {
    const { Resources } = templates.worker;
    for (const [id, alias] of aliasesOf(templates.worker)) {
      const { UpdatePolicy, Properties } = alias as Resource & { UpdatePolicy?: unknown };
      const { CodeDeployLambdaAliasUpdate: update } = UpdatePolicy as {
        CodeDeployLambdaAliasUpdate: { ApplicationName: unknown; DeploymentGroupName: { Ref: string } };
      };
      expect(update.ApplicationName, id).toEqual({ Ref: 'ReleaseApplication' });
      const group = Resources[update.DeploymentGroupName.Ref]?.Properties ?? {};
      expect(group, id).toMatchObject({
        DeploymentConfigName: 'CodeDeployDefault.LambdaCanary10Percent5Minutes',
        ServiceRoleArn: { 'Fn::GetAtt': ['ReleaseRole', 'Arn'] },
        AutoRollbackConfiguration: {
          Enabled: true,
          Events: expect.arrayContaining(['DEPLOYMENT_STOP_ON_ALARM']),
        },
      });
      const { Alarms } = group['AlarmConfiguration'] as { Alarms: { Name: { Ref: string } }[] };
      expect(Alarms).toHaveLength(1);
      const alarm = Resources[Alarms[0]?.Name.Ref ?? '']?.Properties;
      expect(alarm, id).toMatchObject({
        MetricName: 'Errors',
        Period: 60,
        EvaluationPeriods: 1,
        Threshold: 1,
      });
      expect(alarm?.['Dimensions']).toContainEqual({
        Name: 'ExecutedVersion',
        Value: Properties['FunctionVersion'],
      });
    }
    expect(Resources['ReleaseApplication']?.Properties).toMatchObject({ ComputePlatform: 'Lambda' });
    expect(resourcesOf(templates.mq, 'AWS::CodeDeploy::DeploymentGroup')).toEqual([]);
  });

  it('release: a stack with a canary stays below the 500 resources that CloudFormation takes', () => {
    // The stack for Amazon MQ has the most; a canary adds a group and an alarm for each function, an application and a role.
    const functions = functionsOf(templates.mq).length;
    expect(Object.keys(templates.mq.Resources).length + 2 * functions + 2).toBeLessThan(490);
  });
});

describe('the function that prepares', () => {
  it('prepare: CloudFormation calls it for each new version of it, before an alias takes new code into service', () => {
    const { Resources } = templates.worker;
    const prepared = Resources['Prepared']?.Properties ?? {};
    expect(prepared['ServiceToken']).toEqual({ 'Fn::GetAtt': ['PrepareLambdaFunction', 'Arn'] });
    const [version = ''] = (prepared['Version'] as { 'Fn::GetAtt': string[] })['Fn::GetAtt'];
    expect(Resources[version]?.Properties['FunctionName']).toEqual({ Ref: 'PrepareLambdaFunction' });
    const waiting = resourcesOf(templates.worker, 'AWS::Lambda::Alias').flatMap(([id, { DependsOn = [] }]) =>
      [DependsOn].flat().includes('Prepared') ? id : [],
    );
    expect(waiting).toHaveLength(functionsOf(templates.worker).length - 1);
    expect(waiting).not.toContain('PrepareLiveAlias');
    expect(templates.mq.Resources).not.toHaveProperty('Prepared');
  });

  it('prepare: it alone reads the logins of the administrators, and it has those of the groups', () => {
    const keys = functionsOf(templates.worker).flatMap((each) =>
      JSON.stringify(each['Environment']).includes('/warren/prod/admin/') ? keyOf(each) : [],
    );
    expect(keys).toEqual(['prepare']);
    const rights = resourcesOf(templates.worker, 'AWS::IAM::Role').flatMap(([id, { Properties }]) =>
      JSON.stringify(Properties).includes('/warren/prod/admin/') ? id : [],
    );
    expect(rights).toEqual(['PrepareRole']);
    expect(variablesOf(templates.worker, 'prepare')).toMatchObject({
      ADMIN_DATABASE_URL: 'ssm:/warren/prod/admin/database-url',
      LOGIN_AMQP_HTTP: 'ssm:/warren/prod/amqp-url-http',
      LOGIN_AMQP_SCHEDULE: 'ssm:/warren/prod/amqp-url-schedule',
      LOGIN_DATABASE_FUNCTIONS: 'ssm:/warren/prod/database-url',
    });
  });
});

describe('alarms', () => {
  it.each(all)('ring for each function that fails: %s', (_, template) => {
    const keys = functionsOf(template).map(keyOf);
    for (const key of keys) {
      expect(alarmsOf(template).get(`warren-prod-errors-${key}`)).toMatchObject({
        Namespace: 'AWS/Lambda',
        MetricName: 'Errors',
        Dimensions: [{ Name: 'FunctionName', Value: `warren-prod-${key}` }],
      });
    }
  });

  it('ring for dead letters, and if they cannot be counted', () => {
    expect(alarmsOf(templates.mq).get('warren-prod-dead-letters')).toMatchObject({
      Namespace: 'warren-prod',
      MetricName: 'DeadLetters',
      Threshold: 1,
      TreatMissingData: 'breaching',
    });
  });

  it('ring for a stopped mapping, if it must consume all the time', () => {
    const stopped = (template: Template) =>
      alarmsOf(template).get('warren-prod-mapping-stopped')?.['MetricName'];
    expect(stopped(templates.mq)).toBe('WithoutConsumer');
    // KEDA starts no worker for an empty queue.
    expect(stopped(templates.worker)).toBe('Deserted');
    expect(stopped(templates.adapter)).toBeUndefined();
  });

  it('go by what watch-queues measures, under the name it gives', () => {
    const own = [...alarmsOf(templates.mq).values()].filter(({ Namespace }) => Namespace === 'warren-prod');
    expect(variablesOf(templates.mq, 'watch-queues')['METRICS_NAMESPACE']).toBe('warren-prod');
    expect(own.map(({ MetricName }) => MetricName).sort()).toEqual([
      'DeadLetters',
      'LongestQueue',
      'Overdue',
      'WithoutConsumer',
    ]);
  });

  it('ring for the limits of the platform: calls, requests, broker, database and mails', () => {
    const platform = (template: Template) =>
      [...alarmsOf(template).keys()]
        .map((name) => String(name).replace('warren-prod-', ''))
        .filter((name) => !/^(errors|duration)-/.test(name));
    const everywhere = ['throttles', 'concurrency', 'http-latency'];
    expect(platform(templates.mq)).toEqual(
      expect.arrayContaining([...everywhere, 'broker-memory', 'broker-disk', 'broker-connections']),
    );
    const adapter = platform(templates.adapter);
    const optional = ['database-connections', 'database-storage', 'mail-bounces', 'mail-complaints'];
    expect(adapter).toEqual(expect.arrayContaining([...everywhere, ...optional]));
    expect(adapter.filter((name) => name.startsWith('broker-'))).toEqual([]);
  });

  it('ring for a call that takes nine tenths of its time', () => {
    expect(alarmsOf(templates.mq).get('warren-prod-duration-resize-picture')).toMatchObject({
      MetricName: 'Duration',
      Threshold: 108_000,
    });
    expect(alarmsOf(templates.mq).get('warren-prod-duration-ping')).toMatchObject({ Threshold: 13_500 });
  });

  it('are all on the dashboard', () => {
    const body = properties(templates.mq, 'AWS::CloudWatch::Dashboard')[0]?.['DashboardBody'];
    const [text, arns] = (body as { 'Fn::Sub': [string, Record<string, unknown>] })['Fn::Sub'];
    const { widgets } = JSON.parse(text) as { widgets: { properties: { alarms?: string[] } }[] };
    expect(Object.keys(arns)).toHaveLength(alarmsOf(templates.mq).size);
    expect(widgets[0]?.properties.alarms).toEqual(Object.keys(arns).map((name) => `\${${name}}`));
  });

  it('notify a recipient', () => {
    for (const alarm of alarmsOf(templates.mq).values()) {
      expect(alarm['AlarmActions']).toEqual([{ Ref: 'AlarmsTopic' }]);
    }
    const [topic] = properties(templates.mq, 'AWS::SNS::Topic');
    expect(topic?.['Subscription']).toEqual([{ Protocol: 'email', Endpoint: 'ops@example.com' }]);
  });
});
