import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { projectFile } from '../../../dev/stack/project.ts';
import type { Template } from './serverless.ts';

const run = promisify(execFile);
const folder = projectFile('deploy/aws');

/** The platform's packages, which the project itself does not have. */
export const platformRequire = createRequire(join(folder, 'package.json'));

/**
 * Installs what deploy/aws/package-lock.json names beside it, unless that is there.
 *
 * @throws Error with npm's output if there is no registry.
 */
export async function installPlatform(): Promise<void> {
  const lock = await readFile(join(folder, 'package-lock.json'));
  const version = createHash('sha256').update(lock).digest('hex');
  const stamp = join(folder, 'node_modules', '.installed');
  if (existsSync(stamp) && (await readFile(stamp, 'utf8')) === version) return;
  console.log('installing the packages of deploy/aws: takes a minute');
  await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder });
  await writeFile(stamp, version);
}

/** Checks the types of the platform, which have a configuration of their own. */
export async function checkPlatformTypes(): Promise<void> {
  await run(process.execPath, [join(folder, 'node_modules/typescript/bin/tsc'), '-p', folder], {
    cwd: folder,
  });
}

/**
 * Synthesizes the platforms of all stages into a folder, as `npx cdk synth` does. cdk-nag looks at them, and fails it with its findings.
 *
 * @returns the template of each stage, and cdk-nag's report.
 */
export async function synthesizePlatform(output: string) {
  const { PATH, HOME } = process.env;
  const env = { PATH, HOME, CI: 'true', CDK_DISABLE_CLI_TELEMETRY: 'true' };
  await run(
    process.execPath,
    [platformRequire.resolve('aws-cdk/bin/cdk'), 'synth', '--quiet', '--output', output],
    {
      cwd: folder,
      env,
      maxBuffer: 1 << 26,
    },
  );
  const read = async (file: string) => JSON.parse(await readFile(join(output, file), 'utf8')) as unknown;
  const [dev, prod] = await Promise.all(
    ['dev', 'prod'].map((stage) => read(`warren-platform-${stage}.template.json`) as Promise<Template>),
  );
  if (!dev || !prod) throw new Error('expected a platform for the stages dev and prod');
  return { dev, prod, report: (await read('validation-report.json')) as NagReport };
}

export interface NagReport {
  pluginReports: {
    pluginName: string;
    conclusion: string;
    suppressedViolations: {
      ruleName: string;
      violatingConstructs: { constructPath: string }[];
      reason?: string;
    }[];
  }[];
}

const region = 'us-east-1';
const account = '123456789012';
const arn = (service: string, rest: string) => `arn:aws:${service}:${region}:${account}:${rest}`;

/** What AWS would fill in for a resource: its name, and its attributes. */
function known(template: Template, id: string, attribute?: string): string {
  const { Type, Properties = {} } = template.Resources[id] ?? { Type: id };
  const same = Object.keys(template.Resources).filter((each) => template.Resources[each]?.Type === Type);
  const number = String(same.indexOf(id)).padStart(17, '0');
  const values: Record<string, string> = {
    'AWS::AmazonMQ::Broker': arn('mq', 'broker:warren-prod:b-00000000-0000-4000-8000-000000000000'),
    'AWS::SecretsManager::Secret': arn('secretsmanager', `secret:${String(Properties['Name'])}-AbCdEf`),
    'AWS::EC2::Subnet': `subnet-${number}`,
    'AWS::EC2::SecurityGroup': `sg-${number}`,
    'AWS::KMS::Key': arn('kms', 'key/00000000-0000-4000-8000-000000000000'),
    'AWS::CertificateManager::Certificate': arn('acm', 'certificate/00000000-0000-4000-8000-000000000000'),
    'AWS::RDS::DBInstance':
      attribute === 'DbiResourceId' ? 'db-ABCDEFGHIJKL01234' : String(Properties['DBInstanceIdentifier']),
  };
  const value = values[Type];
  if (value === undefined) throw new Error(`the test knows no ${attribute ?? 'name'} of ${id} (${Type})`);
  return value;
}

function filled(template: Template, value: unknown): string {
  if (typeof value === 'string') return value;
  const [[name, inner] = []] = Object.entries(value as Record<string, unknown>);
  if (name === 'Ref') return known(template, String(inner));
  if (name === 'Fn::GetAtt') return known(template, ...(inner as [string, string]));
  if (name === 'Fn::Join') {
    const [separator, parts] = inner as [string, unknown[]];
    return parts.map((part) => filled(template, part)).join(separator);
  }
  throw new Error(`the test cannot fill in ${JSON.stringify(value)}`);
}

/** The outputs of a stack as they may look once it is deployed. */
export const outputsOf = (template: Template): Record<string, string> =>
  Object.fromEntries(
    Object.entries(template.Outputs).map(([name, { Value }]) => [name, filled(template, Value)]),
  );
