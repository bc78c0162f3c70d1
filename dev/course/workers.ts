import { join } from 'node:path';
import { type StackChild, signalTo, startChild } from '../../runtime/local/process.ts';
import { projectFile } from '../stack/project.ts';

/** The folder of a course, with the manifest that its workers run. */
export interface WorkersProject {
  folder: string;
  manifestFile: string;
}

interface Running {
  child: StackChild;
  up: Promise<unknown>;
}

/** Workers that run the project's functions: `warren worker`. */
export class Workers {
  readonly #project: WorkersProject;
  readonly #amqpUrl: string;
  readonly #processes: number;
  readonly #preload: readonly string[];
  readonly #running: Running[] = [];
  /** Ids of processes that were killed. */
  readonly killed: number[] = [];
  /** How the workers ended that were asked to. */
  readonly endings: string[] = [];
  #started = 0;

  /**
   * @param processes of the function in each worker; 0 calls it in the worker itself.
   * @param preload module that each worker loads first.
   */
  constructor(project: WorkersProject, amqpUrl: string, processes: number, preload?: string) {
    this.#project = project;
    this.#amqpUrl = amqpUrl;
    this.#processes = processes;
    this.#preload = preload === undefined ? [] : ['--import', 'tsx', '--import', preload];
  }

  /** Starts workers until there are so many, and waits until they are up. */
  async start(count: number): Promise<void> {
    while (this.#running.length < count) this.#running.push(this.#startOne());
    await Promise.all(this.#running.map(({ up }) => up));
  }

  /** Id of the process of a worker. */
  pidOf(which: number): number {
    return (this.#running[which] as Running).child.pid;
  }

  /** Kills the worker with a process id, by default the first, and starts another in its place. */
  async kill(pid?: number): Promise<void> {
    const which = this.#placeOf(pid);
    const { child } = this.#running[which] as Running;
    signalTo(child.pid, 'SIGKILL');
    await child.exited;
    this.killed.push(child.pid);
    await this.#replace(which);
  }

  /** Starts another worker in the place of the one with a process id, by default the first, and asks that to end. */
  async roll(pid?: number): Promise<void> {
    const which = this.#placeOf(pid);
    const { child } = this.#running[which] as Running;
    await this.#replace(which);
    await this.#end(child);
  }

  /** Asks all to end, and waits. */
  async stop(): Promise<void> {
    await Promise.all(this.#running.splice(0).map(({ child }) => this.#end(child)));
  }

  #placeOf(pid: number | undefined): number {
    return Math.max(
      0,
      this.#running.findIndex(({ child }) => child.pid === pid),
    );
  }

  async #end(child: StackChild): Promise<void> {
    await child.stop();
    this.endings.push(await child.exited);
  }

  async #replace(which: number): Promise<void> {
    const next = this.#startOne();
    this.#running[which] = next;
    await next.up;
  }

  #startOne(): Running {
    this.#started += 1;
    const name = `worker-${this.#started}`;
    let isUp: () => void;
    const up = new Promise<void>((resolve) => {
      isUp = resolve;
    });
    const program = [projectFile('dev/warren.mjs'), 'worker', '--no-http', '--processes'];
    const child = startChild({
      name,
      command: process.execPath,
      args: [...this.#preload, ...program, `${this.#processes}`, '--manifest', this.#project.manifestFile],
      cwd: this.#project.folder,
      // Not the parts of `npm start`.
      env: { ...process.env, WARREN_DATA: this.#project.folder, AMQP_URL: this.#amqpUrl, LOG_LEVEL: 'info' },
      logFile: join(this.#project.folder, `${name}.log`),
      onLine: (line) => {
        if (line.includes('"worker is up"')) isUp();
      },
    });
    return { child, up: Promise.race([up, child.exited]) };
  }
}
