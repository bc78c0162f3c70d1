import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { projectDir, projectFile } from '../../../dev/stack/project.ts';

export interface Resource {
  Type: string;
  Properties: Record<string, unknown>;
  DependsOn?: string | string[];
}

export interface Template {
  Resources: Record<string, Resource>;
  Outputs: Record<string, { Value: unknown }>;
}

/** Credentials for the emulator; never those of the user who runs the tests. */
export const credentials = {
  AWS_ACCESS_KEY_ID: 'test',
  AWS_SECRET_ACCESS_KEY: 'test',
  AWS_REGION: 'us-east-1',
};

/**
 * Runs the serverless CLI, without whatever the shell that runs the tests has set for AWS or our functions.
 *
 * @param cwd default the folder of this project.
 * @returns what it printed.
 * @throws Error with the output, if it failed.
 */
export async function serverless(
  args: readonly string[],
  env: Record<string, string> = {},
  cwd = projectDir,
): Promise<string> {
  const command = projectFile('node_modules/serverless/bin/serverless.js');
  const quiet = { SLS_TELEMETRY_DISABLED: '1', SLS_NOTIFICATIONS_MODE: 'off' };
  const { PATH, HOME } = process.env;
  const own = {
    WARREN_BUILD_FOLDER: '.esbuild/deploy',
    // Outputs of a platform that the checkout has are not the tests'.
    WARREN_PLATFORM: '.data/no-platform',
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
  };
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [command, ...args], {
    cwd,
    env: { PATH, HOME, ...quiet, ...own, ...credentials, ...env },
    maxBuffer: 1 << 26,
  }).catch((error: Error & { stdout?: string; stderr?: string }) => {
    throw new Error(`serverless ${args.join(' ')}\n${error.stdout}${error.stderr}`, { cause: error });
  });
  return stdout + stderr;
}

/** The packaged result, and the arguments that control it. */
export interface Package {
  folder: string;
  params: string[];
}

/** Placeholder for each secret in the environment that packages. */
export const localSecret = 'pa55word-of-whoever-packages';

/**
 * Packages the service for stage `prod` into a folder, with every secret in the environment, as on a developer's machine.
 *
 * @param further variables.
 */
export async function packageInto(
  folder: string,
  parameters: Record<string, string>,
  further: Record<string, string> = {},
): Promise<Package> {
  const params = Object.entries(parameters).map(([name, value]) => `--param=${name}=${value}`);
  const { secrets } = (await readService()).custom.deploy;
  const local = Object.fromEntries(Object.keys(secrets).map((name) => [name, localSecret]));
  const env = { ...local, ...further };
  await serverless(['package', '--stage', 'prod', '--package', folder, ...params], env);
  return { folder, params };
}

/** The template that a package holds. */
export async function readTemplate(folder: string): Promise<Template> {
  const file = join(folder, 'cloudformation-template-update-stack.json');
  return JSON.parse(await readFile(file, 'utf8')) as Template;
}

/** All resources of a type, by logical id. */
export function resourcesOf(template: Template, type: string): [string, Resource][] {
  return Object.entries(template.Resources).filter(([, { Type }]) => Type === type);
}

/** The variables that a deployed function gets. */
export function variablesOf(template: Template, key: string): Record<string, unknown> {
  const functions = resourcesOf(template, 'AWS::Lambda::Function').map(([, { Properties }]) => Properties);
  const found = functions.find(({ FunctionName }) => FunctionName === `warren-prod-${key}`);
  const environment = found?.['Environment'] as { Variables: Record<string, unknown> } | undefined;
  return environment?.Variables ?? {};
}

export interface FunctionSection {
  handler: string;
  memorySize?: number;
  timeout?: number;
  environment?: Record<string, string>;
  bucket?: Record<string, string | string[]>;
  package?: { patterns: string[] };
  events: {
    rabbitmq?: { queue: string; batchSize: number };
    httpApi?: string;
    schedule?: unknown;
  }[];
}

/** serverless.yml as it is written, variables not resolved, with the functions that are deployed. */
export async function readService() {
  const service = parse(await readFile(projectFile('serverless.yml'), 'utf8'), { merge: true }) as {
    provider: { memorySize: number; timeout: number; runtime: string; environment: Record<string, string> };
    functions: Record<string, FunctionSection>;
    custom: {
      warren: unknown;
      esbuild: Record<string, unknown>;
      deploy: { secrets: Record<string, string> };
    };
  };
  // It gives a token to anybody, and is not deployed.
  const { 'sign-in': _, ...functions } = service.functions;
  return { ...service, functions };
}
