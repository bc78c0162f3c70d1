import { readFileSync } from 'node:fs';
import { CustomResource, Duration, RemovalPolicy, SecretValue, Stack } from 'aws-cdk-lib';
import {
  AccessKey,
  PolicyDocument,
  PolicyStatement,
  Role,
  ServicePrincipal,
  User,
} from 'aws-cdk-lib/aws-iam';
import { Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { ignoreLint } from './lint.ts';
import type { Mail } from './mail.ts';
import type { Secrets } from './secrets.ts';

export interface MailLoginProps {
  name: string;
  domain: string;
  mail: Mail;
  secrets: Secrets;
  /** A new number makes a new access key, and so a new password. */
  serial: number;
}

/** A login at the SMTP interface of SES, in the secret `smtp-url`. */
export class MailLogin extends Construct {
  /** May send mails of the domain, and nothing else. */
  readonly user: User;
  readonly handler: LambdaFunction;

  constructor(scope: Construct, id: string, { name, domain, mail, secrets, serial }: MailLoginProps) {
    super(scope, id);
    this.user = new User(this, 'User', { userName: `${name}-mail` });
    this.user.addToPolicy(
      new PolicyStatement({
        actions: ['ses:SendRawEmail'],
        resources: mail.identities,
        conditions: { StringLike: { 'ses:FromAddress': `*@${domain}` } },
      }),
    );
    const access = new AccessKey(this, 'Key', { user: this.user, serial });
    const key = secrets.members('admin/smtp-key', {
      id: SecretValue.resourceAttribute(access.accessKeyId),
      key: access.secretAccessKey,
    });
    const url = secrets.text('smtp-url');
    this.handler = this.#function(key, url);
    const { region, urlSuffix } = Stack.of(this);
    new CustomResource(this, 'Url', {
      resourceType: 'Custom::SmtpUrl',
      serviceToken: this.handler.functionArn,
      serviceTimeout: Duration.minutes(2),
      properties: {
        keySecret: key.secretArn,
        urlSecret: url.secretArn,
        region,
        host: `email-smtp.${region}.${urlSuffix}`,
        // CloudFormation calls the function again if a property changes.
        serial,
      },
    });
  }

  #function(key: Secret, url: Secret): LambdaFunction {
    const logGroup = new LogGroup(this, 'Log', {
      retention: RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const log = new PolicyStatement({
      actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
      resources: [logGroup.logGroupArn],
    });
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      inlinePolicies: { log: new PolicyDocument({ statements: [log] }) },
    });
    key.grantRead(role);
    url.grantWrite(role);
    const handler = new LambdaFunction(this, 'Function', {
      description: 'Calculates the password of SES from an access key',
      runtime: Runtime.NODEJS_24_X,
      handler: 'index.handler',
      code: Code.fromInline(readFileSync(new URL('smtp-url.cjs', import.meta.url), 'utf8')),
      timeout: Duration.seconds(30),
      role,
      logGroup,
    });
    // CDK lets a function wait for its role beside the policy of it.
    ignoreLint(handler, 'W3005');
    return handler;
  }
}
