import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type StackChild, signalTo, startChild } from '../../runtime/local/process.ts';
import { linked } from '../faults/link.ts';
import { projectFile } from '../stack/project.ts';
import type { WorkerLinks } from './moments.ts';
import type { Project } from './project.ts';

interface Running {
  child: StackChild;
  links: WorkerLinks;
  up: Promise<unknown>;
}

/** A worker that was killed. */
export interface Killed {
  pid: number;
  /** Milliseconds since 1970. */
  at: number;
}

/** Milliseconds for each way between a worker and the database, so that a kill finds transactions at each of their steps. */
const delayMs = 2;
/** Milliseconds for which the network is struck before the kill. */
const struckMs = 400;

/** Workers that run the project's functions: `warren worker`, each with a network of its own. */
export class Workers {
  readonly #project: Project;
  readonly #env: Record<'AMQP_URL' | 'DATABASE_URL', string>;
  readonly #preload: readonly string[];
  readonly #running: Running[] = [];
  readonly killed: Killed[] = [];
  /** How the workers ended that were asked to. */
  readonly endings: string[] = [];
  #started = 0;

  /** @param preload module that each worker loads first. */
  constructor(project: Project, env: Record<'AMQP_URL' | 'DATABASE_URL', string>, preload?: string) {
    this.#project = project;
    this.#env = env;
    this.#preload = preload === undefined ? [] : ['--import', preload];
  }

  /** Starts workers until there are so many, and waits until they are up. */
  async start(count: number): Promise<void> {
    while (this.#running.length < count) this.#running.push(await this.#startOne());
    await Promise.all(this.#running.map(({ up }) => up));
  }

  /** Kills a worker after a strike at its network, and starts another in its place. */
  async kill(which: number, strike: (links: WorkerLinks) => void): Promise<void> {
    const { child, links, up } = this.#running[which] as Running;
    await up;
    strike(links);
    await pause(struckMs);
    signalTo(child.pid, 'SIGKILL');
    await child.exited;
    this.killed.push({ pid: child.pid, at: Date.now() });
    await end({ child, links });
    this.#running[which] = await this.#startOne();
  }

  /** Asks all to end, and waits. */
  async stop(): Promise<void> {
    await Promise.all(
      this.#running.splice(0).map(async ({ child, links, up }) => {
        await up;
        await child.stop();
        this.endings.push(await child.exited);
        await end({ child, links });
      }),
    );
  }

  async #startOne(): Promise<Running> {
    const [broker, database] = [await linked(this.#env.AMQP_URL), await linked(this.#env.DATABASE_URL)];
    database.links.slow(delayMs);
    this.#started += 1;
    const name = `worker-${this.#started}`;
    let isUp: () => void;
    const up = new Promise<void>((resolve) => {
      isUp = resolve;
    });
    const program = [projectFile('dev/warren.mjs'), 'worker', '--no-http', '--processes', '0'];
    const child = startChild({
      name,
      command: process.execPath,
      args: [...this.#preload, ...program, '--manifest', this.#project.manifestFile],
      cwd: this.#project.folder,
      env: {
        ...process.env,
        // Not the parts of `npm start`.
        WARREN_DATA: this.#project.folder,
        AMQP_URL: broker.url,
        DATABASE_URL: database.url,
        LOG_LEVEL: 'info',
      },
      logFile: join(this.#project.folder, `${name}.log`),
      onLine: (line) => {
        if (line.includes('"worker is up"')) isUp();
      },
    });
    return {
      child,
      links: { broker: broker.links, database: database.links },
      up: Promise.race([up, child.exited]),
    };
  }
}

async function end({ child, links }: { child: StackChild; links: WorkerLinks }): Promise<void> {
  await child.stop();
  await Promise.all([links.broker.close(), links.database.close()]);
}
