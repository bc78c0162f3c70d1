import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { projectFile } from '../../../dev/stack/project.ts';
import { freePort } from '../../../runtime/local/free-port.ts';
import { startChild } from '../../../runtime/local/process.ts';
import { waitUntil } from '../../../runtime/local/wait.ts';
import { pythonWithTools } from './python.ts';
import { type Package, packageInto } from './serverless.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Address at which moto emulates AWS's API. */
    endpoint: string;
    /** A Python with cfn-lint. */
    python: string;
    /** For Amazon MQ, in a VPC on arm64; for the adapter, on x86_64; for workers, with tokens from an issuer, a canary and `prepare`. */
    packages: Record<'amazonMq' | 'adapter' | 'worker', Package>;
  }
}

/** With an address of one's own, no function refers to the HTTP API, which the emulator does not hold. */
const publicUrl = 'https://pictures.example.com';
/** The same for both: moto can't change it. */
const logRetention = '7';
const network = {
  subnets: 'subnet-0123456789abcdef0,subnet-0123456789abcdef1',
  securityGroups: 'sg-0123456789abcdef0',
};

/** Starts moto's server, an emulator of AWS's API, and packages the service the two ways it may be deployed. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = projectFile(`.data/deploy-${process.pid}`);
  await mkdir(folder, { recursive: true });
  const python = await pythonWithTools();
  const http = await freePort();
  const endpoint = `http://127.0.0.1:${http}`;
  const { PATH } = process.env;
  const moto = startChild({
    name: 'moto',
    command: python,
    args: [projectFile('test/support/deploy/emulator.py'), '-H', '127.0.0.1', '-p', String(http)],
    cwd: folder,
    env: { PATH, HOME: folder },
    logFile: join(folder, 'moto.log'),
  });
  const stop = async () => {
    await moto.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const { signal } = new AbortController();
    const up = async () => (await fetch(`${endpoint}/moto-api/`)).ok;
    await waitUntil('moto', up, { signal, child: moto, hint: `see ${folder}/moto.log` });
    const make = (name: string, parameters: Record<string, string>) => {
      console.log(`packaging for ${name}: takes a minute`);
      return packageInto(join(folder, name), parameters);
    };
    const packages = {
      amazonMq: await make('amazon-mq', {
        ...network,
        publicUrl,
        logRetention,
        tracing: 'true',
        alarmMail: 'ops@example.com',
        brokerArn: 'arn:aws:mq:us-east-1:123456789012:broker:warren:b-00000000-0000-4000-8000-000000000000',
      }),
      adapter: await make('adapter', {
        source: 'adapter',
        publicUrl,
        architecture: 'x86_64',
        logRetention,
        origins: 'https://admin.example.com/',
        domain: 'pictures.example.com',
        certificateArn: 'arn:aws:acm:us-east-1:123456789012:certificate/00000000-0000-4000-8000-000000000000',
        databaseInstance: 'warren',
        ses: 'true',
      }),
      worker: await make('worker', {
        source: 'worker',
        jwksUrl: 'https://issuer.example.com/jwks.json',
        jwtIssuer: 'https://issuer.example.com',
        jwtAudience: 'warren',
        canary: 'Canary10Percent5Minutes',
        amqpUrl: 'ssm:/warren/prod/amqp-url-{group}',
        adminAmqpUrl: 'ssm:/warren/prod/admin/amqp-url',
        adminAmqpManagementUrl: 'ssm:/warren/prod/admin/amqp-management-url',
        adminDatabaseUrl: 'ssm:/warren/prod/admin/database-url',
      }),
    };
    project.provide('endpoint', endpoint);
    project.provide('python', python);
    project.provide('packages', packages);
  } catch (error) {
    await stop();
    throw error;
  }
  return stop;
}
