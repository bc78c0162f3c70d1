import { setTimeout as pause } from 'node:timers/promises';
import pLimit from 'p-limit';
import { type Client, sdkOf } from './clients.ts';
import type { Entry, Versions } from './history.ts';
import type { Template } from './template.ts';

/** The parts of osls's provider for AWS that a release uses. */
export interface Provider {
  getStage(): string;
  getRegion(): string;
  getDeploymentPrefix(): string;
  getServerlessDeploymentBucketName(): Promise<string>;
  getCustomDeploymentRole(): string | undefined;
  getAwsSdkV3Config(): Promise<object>;
  naming: { getStackName(): string };
}

const cloudFormation = () => sdkOf('cloudformation');
const s3 = () => sdkOf('s3');
const lambda = () => sdkOf('lambda');

/** Milliseconds between two looks at a stack that is being updated. */
const interval = 3000;

/** The deployed stack of a service: its template, what its aliases name, and what they have named. */
export class Stack {
  readonly #provider: Provider;
  readonly #service: string;

  constructor(provider: Provider, service: string) {
    this.#provider = provider;
    this.#service = service;
  }

  /** What each alias names now; functions that have none yet are left out. */
  async liveVersions(functionNames: Iterable<string>, alias: string): Promise<Versions> {
    const client = await this.#client(lambda);
    // Lambda allows 15 of these calls a second.
    const limit = pLimit(4);
    const found = await Promise.all(
      [...functionNames].map((name) =>
        limit(async (): Promise<[string, string][]> => {
          try {
            const command = lambda().command('GetAlias', { FunctionName: name, Name: alias });
            const { FunctionVersion } = await client.send(command);
            return [[name, String(FunctionVersion)]];
          } catch (error) {
            if ((error as Error).name === 'ResourceNotFoundException') return [];
            throw error;
          }
        }),
      ),
    );
    return Object.fromEntries(found.flat());
  }

  /** What was live, oldest first; empty before the first deployment with aliases. */
  async history(): Promise<Entry[]> {
    const client = await this.#client(s3);
    try {
      const { Body } = await client.send(s3().command('GetObject', await this.#object('live-versions.json')));
      const text = await (Body as { transformToString(): Promise<string> }).transformToString();
      return JSON.parse(text) as Entry[];
    } catch (error) {
      if ((error as Error).name === 'NoSuchKey') return [];
      throw error;
    }
  }

  async keepHistory(history: readonly Entry[]): Promise<void> {
    await this.#put('live-versions.json', JSON.stringify(history));
  }

  /** The template of the last deployment. */
  async template(): Promise<Template> {
    const client = await this.#client(cloudFormation);
    const input = { StackName: this.#name, TemplateStage: 'Original' };
    const { TemplateBody } = await client.send(cloudFormation().command('GetTemplate', input));
    return JSON.parse(String(TemplateBody)) as Template;
  }

  /**
   * Updates the stack, and waits for the end of it.
   *
   * @throws Error with CloudFormation's reason.
   */
  async update(template: Template): Promise<void> {
    const client = await this.#client(cloudFormation);
    // A template in a request may have 51 kB.
    const { Bucket, Key } = await this.#put('restored-template.json', JSON.stringify(template));
    const region = this.#provider.getRegion();
    const host = `s3.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
    const role = this.#provider.getCustomDeploymentRole();
    await client.send(
      cloudFormation().command('UpdateStack', {
        StackName: this.#name,
        TemplateURL: `https://${host}/${Bucket}/${Key}`,
        Capabilities: ['CAPABILITY_IAM', 'CAPABILITY_NAMED_IAM'],
        ...(role && { RoleARN: role }),
      }),
    );
    for (;;) {
      const { status, reason } = await this.status();
      if (status === 'UPDATE_COMPLETE') return;
      if (!status.endsWith('_IN_PROGRESS')) throw new Error(`the stack is in ${status}: ${reason}`);
      await pause(interval);
    }
  }

  async status(): Promise<{ status: string; reason: string }> {
    const client = await this.#client(cloudFormation);
    const { Stacks } = await client.send(
      cloudFormation().command('DescribeStacks', { StackName: this.#name }),
    );
    const [stack = {}] = Stacks as { StackStatus?: string; StackStatusReason?: string }[];
    const { StackStatus = 'none', StackStatusReason = 'no reason' } = stack;
    return { status: StackStatus, reason: StackStatusReason };
  }

  get #name(): string {
    return this.#provider.naming.getStackName();
  }

  async #put(name: string, Body: string): Promise<{ Bucket: string; Key: string }> {
    const client = await this.#client(s3);
    const object = await this.#object(name);
    await client.send(s3().command('PutObject', { ...object, Body, ContentType: 'application/json' }));
    return object;
  }

  /** Below the folder of the stage, which `serverless remove` empties. */
  async #object(name: string): Promise<{ Bucket: string; Key: string }> {
    const folder = `${this.#provider.getDeploymentPrefix()}/${this.#service}/${this.#provider.getStage()}`;
    return { Bucket: await this.#provider.getServerlessDeploymentBucketName(), Key: `${folder}/${name}` };
  }

  async #client(sdk: typeof lambda): Promise<Client> {
    return sdk().clientOf(await this.#provider.getAwsSdkV3Config());
  }
}
