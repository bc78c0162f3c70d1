import { parseReference } from 'warren/functions';
import { interfaces, type Network } from './network-rights.ts';
import { allow, denyOwnCode, type Statement } from './statement.ts';
import { attribute, ownArn, type Resource, sub, type Text } from './template.ts';

/** What a function may do with objects of the bucket: for each action of S3's, under which keys. */
export type BucketAccess = Readonly<Record<string, string | readonly string[]>>;

export interface RoleOptions {
  /** The deployed name of the function. */
  functionName: string;
  /** The log group's logical id. */
  logGroup: string;
  /** The variables the function gets; those that name a secret give the right to read it. */
  environment: Readonly<Record<string, unknown>>;
  bucket?: BucketAccess | undefined;
  /** The brokers and logins of the mappings that feed it. */
  brokers: readonly { arn: Text; secret: Text }[];
  /** Names of the functions that it calls. */
  calls: readonly string[];
  /** Id of a database at RDS and the user as which the function logs in by IAM: `db-ABCDEFGHIJKL01234/functions`. */
  databaseLogin?: string | undefined;
  /** The audience of the tokens with which the function logs in at the broker by IAM. */
  brokerAudience?: string | undefined;
  /** ARN of the key that encrypts the secrets, if it is not AWS's own. */
  secretsKey: string;
  /** The network of the function, if it runs in a VPC. */
  network?: Network | undefined;
  traced: boolean;
}

/** The bucket's logical id, in deploy/bucket.yml. */
export const bucketId = 'PicturesBucket';

/** A role for one function, with just the rights it needs. */
export function roleOf(options: RoleOptions): Resource {
  const trust = { Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' };
  const policy = { Version: '2012-10-17', Statement: statementsOf(options) };
  return {
    Type: 'AWS::IAM::Role',
    Properties: {
      AssumeRolePolicyDocument: { Version: '2012-10-17', Statement: [trust] },
      Policies: [{ PolicyName: 'function', PolicyDocument: policy }],
    },
  };
}

function statementsOf(options: RoleOptions): Statement[] {
  const {
    logGroup,
    environment,
    bucket = {},
    brokers,
    calls,
    databaseLogin,
    brokerAudience,
    secretsKey,
    traced,
  } = options;
  const secrets = secretStatements(Object.values(environment));
  const logins = brokers.map(({ secret }) => secret);
  return [
    // The stack owns the group, so Lambda does not create one without a retention limit.
    allow(['logs:CreateLogStream', 'logs:PutLogEvents'], attribute(logGroup, 'Arn')),
    ...secrets,
    ...(databaseLogin ? [allow(['rds-db:connect'], ownArn('rds-db', `dbuser:${databaseLogin}`))] : []),
    ...(brokerAudience ? [tokenStatement(brokerAudience)] : []),
    ...Object.entries(bucket).map(([action, keys]) => bucketStatement(action, keys)),
    ...(calls.length > 0
      ? [
          allow(
            ['lambda:InvokeFunction'],
            calls.map((name) => ownArn('lambda', `function:${name}`)),
          ),
        ]
      : []),
    ...mappingStatements(options),
    ...(secretsKey !== '' && (secrets.length > 0 || logins.length > 0)
      ? [allow(['kms:Decrypt'], secretsKey)]
      : []),
    ...interfaces(options),
    ...(traced ? [allow(['xray:PutTraceSegments', 'xray:PutTelemetryRecords'], '*')] : []),
  ];
}

/**
 * For mappings, which find the broker and log in to it with the function's role. The function's code can do neither: the login may
 * read the queues of other functions too.
 */
function mappingStatements({ brokers, environment, functionName }: RoleOptions): Statement[] {
  if (brokers.length === 0) return [];
  const found = unique(brokers.map(({ arn }) => arn));
  const logins = unique(brokers.map(({ secret }) => secret));
  const own = idsOf(Object.values(environment), 'secretsmanager');
  // A project may name the same secret for a function.
  const theirs = logins.filter((login) => !own.some((id) => namesSecret(id, login)));
  return [
    allow(['mq:DescribeBroker'], found),
    allow(['secretsmanager:GetSecretValue'], logins),
    denyOwnCode(functionName, ['mq:DescribeBroker'], '*'),
    ...(theirs.length > 0 ? [denyOwnCode(functionName, ['secretsmanager:GetSecretValue'], theirs)] : []),
  ];
}

/** Whether an id is that of the secret with this ARN: the ARN with or without the six characters at its end, or the name. */
function namesSecret(id: string, arn: Text): boolean {
  if (typeof arn !== 'string') return false;
  const whole = arn.replace(/-[^-]{6}$/, '');
  return [arn, whole, whole.replace(/^.*:secret:/, '')].includes(id);
}

/** For tokens of STS, which have no resource: their audience, time and algorithm are limited. */
function tokenStatement(audience: string): Statement {
  return {
    ...allow(['sts:GetWebIdentityToken'], '*'),
    Condition: {
      'ForAllValues:StringEquals': { 'sts:IdentityTokenAudience': audience },
      NumericLessThanEquals: { 'sts:DurationSeconds': 900 },
      StringEquals: { 'sts:SigningAlgorithm': 'RS256' },
    },
  };
}

function bucketStatement(action: string, keys: string | readonly string[]): Statement {
  const patterns = [keys].flat();
  const bucket = attribute(bucketId, 'Arn');
  if (action === 'ListBucket') {
    const all = patterns.includes('*');
    return {
      ...allow(['s3:ListBucket'], bucket),
      ...(!all && { Condition: { StringLike: { 's3:prefix': patterns } } }),
    };
  }
  return allow(
    [`s3:${action}`],
    patterns.map((pattern) => sub(`\${${bucketId}.Arn}/${pattern}`)),
  );
}

/** The ids to which values of variables refer in a service. */
function idsOf(values: readonly unknown[], service: 'ssm' | 'secretsmanager'): string[] {
  const references = values.flatMap((value) => (typeof value === 'string' && parseReference(value)) || []);
  return references.filter((each) => each.service === service).map(({ id }) => id);
}

function secretStatements(values: readonly unknown[]): Statement[] {
  const parameters = unique(
    idsOf(values, 'ssm').map((id) => ownArn('ssm', `parameter/${id.replace(/^\//, '')}`)),
  );
  const secrets = unique(idsOf(values, 'secretsmanager').map(secretArn));
  return [
    ...(parameters.length > 0 ? [allow(['ssm:GetParameters'], parameters)] : []),
    ...(secrets.length > 0 ? [allow(['secretsmanager:GetSecretValue'], secrets)] : []),
  ];
}

/** AWS puts a dash and six characters of its own after the name; one can't know them. */
function secretArn(id: string): Text {
  return id.startsWith('arn:') ? id : ownArn('secretsmanager', `secret:${id}-??????`);
}

function unique(texts: readonly Text[]): Text[] {
  return [...new Map(texts.map((text) => [JSON.stringify(text), text])).values()];
}
