import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { runDemo } from '../../../dev/demo/demo.ts';
import { type Stack, startStack } from '../../../dev/stack/stack.ts';
import type { StackEnv } from '../../../dev/stack/stack-env.ts';
import type { Environments } from '../compose.ts';
import { type Container, createContainers } from './containers.ts';
import { builtFromSources } from './sources.ts';

/** The services of compose.yaml that run until they are stopped. */
export const services = ['http', 'schedule', 'alerts', 'pictures', 'resize', 'bookings', 'rpc'];

/** The parts of the sample on this machine, and all services of an installation as processes. */
export class ContainerSystem {
  readonly #closing: readonly (() => Promise<unknown>)[];
  readonly #http: Container;
  readonly stack: Stack;
  readonly containers: ReturnType<typeof createContainers>;
  readonly environments: Environments;

  private constructor(
    closing: readonly (() => Promise<unknown>)[],
    stack: Stack,
    environments: Environments,
    containers: ReturnType<typeof createContainers>,
    http: Container,
  ) {
    this.#closing = closing;
    this.#http = http;
    this.stack = stack;
    this.environments = environments;
    this.containers = containers;
  }

  /**
   * @param given settings of the stack, such as its storage.
   * @param environmentsOf those of the services, from a folder for files and the stack's own.
   */
  static async start(
    given: Record<string, string | undefined>,
    environmentsOf: (folder: string, env: StackEnv) => Environments,
  ): Promise<ContainerSystem> {
    const folder = await mkdtemp(join(tmpdir(), 'warren-system-'));
    const closing: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
    try {
      const quiet = { ports: 'free', functions: undefined, report: () => undefined } as const;
      const stack = await startStack({ ...quiet, dataDir: join(folder, 'data'), given });
      closing.push(() => stack.stop());
      const environments = environmentsOf(folder, stack.env);
      const containers = createContainers(await builtFromSources(folder, stack.env), stack.env, environments);
      closing.push(() => containers.stopAll());
      await containers.runToEnd('prepare');
      // In turn: processes that compile their sources at the same time leave each other too little of two cores to connect in time.
      const started: Container[] = [];
      for (const name of services) started.push(await containers.start(name));
      const [http] = started as [Container];
      return new ContainerSystem(closing, stack, environments, containers, http);
    } catch (error) {
      await closeAll(closing);
      throw error;
    }
  }

  async stop(): Promise<void> {
    await closeAll(this.#closing);
  }

  /** Address of the HTTP functions. */
  get url(): string {
    return `http://127.0.0.1:${this.#http.port}`;
  }

  /** Expects each step of the main job to work. */
  async expectDemo(): Promise<void> {
    const secret = this.environments.secrets['AUTH_JWT_SECRET'] ?? '';
    const steps = await runDemo(
      { ...this.stack.env, HTTP_URL: this.url, AUTH_JWT_SECRET: secret },
      () => undefined,
    );
    expect(steps.filter(({ ok }) => !ok)).toEqual([]);
  }

  /** What all services have logged. */
  lines(): string[] {
    return this.containers.running().flatMap(({ output }) => output().split('\n'));
  }
}

/** What was started last ends first. */
async function closeAll(closing: readonly (() => Promise<unknown>)[]): Promise<void> {
  for (const close of closing.toReversed()) await close();
}
